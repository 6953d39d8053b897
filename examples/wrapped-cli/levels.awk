# Counts the lines of each level and prints them as JSON.
$2 in count { count[$2]++ }
BEGIN { count["ERROR"] = count["WARN"] = count["INFO"] = 0 }
END { printf "{\"ERROR\": %d, \"WARN\": %d, \"INFO\": %d}\n", count["ERROR"], count["WARN"], count["INFO"] }
