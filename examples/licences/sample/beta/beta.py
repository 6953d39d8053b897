"""Beta."""
