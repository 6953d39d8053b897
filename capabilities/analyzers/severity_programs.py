"""Severity and kind of the rules of go vet, clippy, eslint and shellcheck; the scale is `severity`'s."""

from ..findings import Kind, Severity

Ranked = tuple[Severity, Kind]

GO_LOW: dict[str, Ranked] = {
    "assign": ("low", "bug"),
    "bools": ("low", "bug"),
    "buildtag": ("low", "bug"),
    "composites": ("info", "style"),
    "hostport": ("low", "bug"),
    "stdmethods": ("low", "types"),
    "stdversion": ("low", "types"),
    "structtag": ("low", "bug"),
    "tests": ("low", "test"),
    "unreachable": ("low", "dead-code"),
    "unusedresult": ("low", "bug"),
}
"""Analyzers of go vet whose reports are less than a probable bug."""

CLIPPY_WRONG = frozenset(
    [
        "absurd_extreme_comparisons",
        "almost_swapped",
        "approx_constant",
        "async_yields_async",
        "bad_bit_mask",
        "cast_slice_different_sizes",
        "deprecated_semver",
        "derive_ord_xor_partial_ord",
        "derived_hash_with_manual_eq",
        "enum_clike_unportable_variant",
        "eq_op",
        "erasing_op",
        "fn_address_comparisons",
        "if_let_mutex",
        "ifs_same_cond",
        "impl_hash_borrow_with_str_and_bytes",
        "impossible_comparisons",
        "ineffective_bit_mask",
        "infinite_iter",
        "inherent_to_string_shadow_display",
        "inline_fn_without_body",
        "invalid_null_ptr_usage",
        "invalid_regex",
        "inverted_saturating_sub",
        "invisible_characters",
        "iter_next_loop",
        "iter_skip_zero",
        "iterator_step_by_zero",
        "let_underscore_lock",
        "lint_groups_priority",
        "match_str_case_mismatch",
        "mem_replace_with_uninit",
        "min_max",
        "mistyped_literal_suffixes",
        "modulo_one",
        "mut_from_ref",
        "never_loop",
        "non_octal_unix_permissions",
        "nonsensical_open_options",
        "not_unsafe_ptr_arg_deref",
        "option_env_unwrap",
        "out_of_bounds_indexing",
        "overly_complex_bool_expr",
        "panicking_overflow_checks",
        "panicking_unwrap",
        "possible_missing_comma",
        "read_line_without_trim",
        "recursive_format_impl",
        "redundant_comparisons",
        "reversed_empty_ranges",
        "self_assignment",
        "serde_api_misuse",
        "size_of_in_element_count",
        "suspicious_splitn",
        "transmuting_null",
        "unconditional_recursion",
        "uninit_assumed_init",
        "uninit_vec",
        "unit_cmp",
        "unit_hash",
        "unit_return_expecting_ord",
        "unsound_collection_transmute",
        "unused_io_amount",
        "useless_attribute",
        "vec_resize_to_zero",
        "while_immutable_condition",
        "wrong_transmute",
        "zst_offset",
    ]
)
"""clippy's group `correctness`: code that is wrong for sure."""

ESLINT: dict[str, Ranked] = {
    "constructor-super": ("high", "bug"),
    "for-direction": ("high", "bug"),
    "getter-return": ("medium", "bug"),
    "no-async-promise-executor": ("medium", "bug"),
    "no-case-declarations": ("low", "bug"),
    "no-class-assign": ("medium", "bug"),
    "no-compare-neg-zero": ("medium", "bug"),
    "no-cond-assign": ("medium", "bug"),
    "no-const-assign": ("high", "bug"),
    "no-constant-binary-expression": ("medium", "bug"),
    "no-constant-condition": ("low", "bug"),
    "no-debugger": ("medium", "bug"),
    "no-delete-var": ("medium", "bug"),
    "no-dupe-args": ("high", "bug"),
    "no-dupe-class-members": ("medium", "bug"),
    "no-dupe-else-if": ("medium", "bug"),
    "no-dupe-keys": ("high", "bug"),
    "no-duplicate-case": ("medium", "bug"),
    "no-empty": ("info", "style"),
    "no-empty-pattern": ("low", "bug"),
    "no-ex-assign": ("medium", "bug"),
    "no-fallthrough": ("low", "bug"),
    "no-func-assign": ("medium", "bug"),
    "no-global-assign": ("medium", "bug"),
    "no-import-assign": ("high", "bug"),
    "no-invalid-regexp": ("high", "bug"),
    "no-irregular-whitespace": ("low", "style"),
    "no-loss-of-precision": ("medium", "bug"),
    "no-misleading-character-class": ("medium", "bug"),
    "no-new-native-nonconstructor": ("high", "bug"),
    "no-obj-calls": ("high", "bug"),
    "no-octal": ("low", "bug"),
    "no-prototype-builtins": ("info", "style"),
    "no-redeclare": ("low", "bug"),
    "no-self-assign": ("medium", "bug"),
    "no-self-compare": ("medium", "bug"),
    "no-setter-return": ("medium", "bug"),
    "no-shadow-restricted-names": ("medium", "bug"),
    "no-sparse-arrays": ("low", "bug"),
    "no-template-curly-in-string": ("low", "bug"),
    "no-this-before-super": ("high", "bug"),
    "no-unreachable": ("low", "dead-code"),
    "no-unsafe-finally": ("medium", "bug"),
    "no-unsafe-negation": ("high", "bug"),
    "no-unsafe-optional-chaining": ("medium", "bug"),
    "no-unused-labels": ("low", "dead-code"),
    "no-unused-private-class-members": ("low", "dead-code"),
    "no-unused-vars": ("low", "dead-code"),
    "no-useless-catch": ("low", "style"),
    "no-with": ("low", "bug"),
    "require-yield": ("low", "bug"),
    "use-isnan": ("high", "bug"),
    "valid-typeof": ("high", "bug"),
    "no-eval": ("medium", "vulnerability"),
    "no-implied-eval": ("medium", "vulnerability"),
    "no-new-func": ("medium", "vulnerability"),
    "no-script-url": ("medium", "vulnerability"),
}
"""The rules of eslint that are switched on; not what needs to know the place where a program runs."""

SHELL_SYNTAX = range(1000, 2000)
SHELL_NO_SHEBANG = 2148
SHELL_LEVELS: dict[str, Ranked] = {
    "error": ("high", "bug"),
    "warning": ("medium", "bug"),
    "info": ("low", "bug"),
    "style": ("info", "style"),
}


def go_rank(analyzer: str) -> Ranked:
    """Return severity and kind of a report of go vet; `compile` is the compiler's word."""
    if analyzer == "compile":
        return "high", "types"
    return GO_LOW.get(analyzer, ("medium", "bug"))


def clippy_rank(code: str, level: str) -> tuple[str, Severity, Kind]:
    """Return the rule's name, severity and kind of a message of clippy or the Rust compiler."""
    lint = code.removeprefix("clippy::")
    if lint != code:
        return lint, *(("high", "bug") if lint in CLIPPY_WRONG else ("low", "style"))
    if not code or code.startswith("E"):
        return code or "compile", "high", "types" if code else "syntax"
    if code.startswith(("unused", "dead_code", "unreachable")) and code != "unused_must_use":
        return code, "low", "dead-code"
    if code.startswith("non_"):
        return code, "info", "style"
    return code, "high" if level == "error" else "medium", "bug"


def eslint_rank(rule: str) -> Ranked:
    """Return severity and kind of a rule of eslint; `parse-error` is that a file does not parse."""
    return ESLINT.get(rule, ("high", "syntax"))


def shellcheck_rank(code: int, level: str) -> Ranked:
    """Return severity and kind of a comment of shellcheck."""
    if code == SHELL_NO_SHEBANG:
        return "low", "style"
    severity, kind = SHELL_LEVELS.get(level, ("low", "bug"))
    return severity, "syntax" if code in SHELL_SYNTAX and level == "error" else kind
