# Checks the rules of the house that a formatter can't know. scripts/lint runs it over every Swift and C source;
# it prints `file:line: sentence` for each breach and exits 1 if there was any.
#
# A rule about code must not fire on prose, so each line is read twice: as it stands, and as `code`, which is the
# line without its comments and without the text of its string literals (what is interpolated into one is code again).
#
#   -v unsafe_allowed="PATH ..."   folders (ending in /) and files below Sources/ where `unsafe` may stand

BEGIN {
    split(unsafe_allowed, allowed, " ")
    breaches = 0
}

FNR == 1 {
    comment_depth = 0 # Swift's block comments nest
    depth = 0         # how many string literals we are inside of, counting those in interpolations
    inside_text = 0   # in the text of the innermost literal, rather than in code interpolated into it
}

{
    code = code_of($0)

    if (has_word($0, "TO" "DO") || has_word($0, "FIX" "ME") || has_word($0, "X" "XX") || has_word($0, "HA" "CK"))
        breach("a note to come back later; do it now, or open an issue and leave the comment out")
    if ($0 ~ /\/\/+[ \t]*MARK([^A-Za-z0-9_]|$)/)
        breach("a MARK comment; a file that needs one holds more than one concept, so split it")
}

FILENAME ~ /\.swift$/ {
    if (code ~ /(^|[^A-Za-z0-9_])try!/)
        breach("`try!`; throw the error on, or say with `preconditionFailure` why it can't happen")
    if (imports("CLibevent") && !starts_with(FILENAME, "Sources/Twill/Libevent/"))
        breach("`import CLibevent` outside Sources/Twill/Libevent; give that folder what you need from C")
    if (imports("COpenSSL") && !starts_with(FILENAME, "Sources/TwillTLS/OpenSSL/"))
        breach("`import COpenSSL` outside Sources/TwillTLS/OpenSSL; give that folder what you need from C")
    if (starts_with(FILENAME, "Sources/Twill/") && imports("Foundation[A-Za-z]*"))
        breach("the library imports Foundation; use the standard library, or add what is missing to Reactor/ or Transport/")
    if (starts_with(FILENAME, "Sources/TwillTLS/") && imports("Foundation[A-Za-z]*"))
        breach("the library imports Foundation; use the standard library, or ask OpenSSL")
    if (starts_with(FILENAME, "Sources/Twill") && !starts_with(FILENAME, "Sources/TwillTool/") && !reads_time_by_right(FILENAME) \
        && (code ~ /(^|[^A-Za-z0-9_])(ContinuousClock|SuspendingClock|SystemRandomNumberGenerator|clock_gettime|gettimeofday|arc4random|DispatchTime|Date\(|UUID\(|Task\.sleep)/ \
            || code ~ /\.(randomElement|shuffled|shuffle)\(\)/ || code ~ /\.random\(in:/ && code !~ /using:/))
        breach("a clock or random numbers of its own; take the reactor's, so that a simulated run is the same each time")
    if (FILENAME ~ /^Tests\/Twill(TLS)?Tests\// && code ~ /^@Suite/ && code !~ /nothingLivesOn|\($/)
        breach("a suite without the trait .nothingLivesOn; a leak in its tests would not be found")
    if (starts_with(FILENAME, "Sources/") || starts_with(FILENAME, "Examples/"))
        if (has_word(code, "unsafe") && !unsafe_is_allowed(FILENAME))
            breach("`unsafe` outside the folders that may use it; offer a safe call from Sources/Twill/Libevent instead")
}

END {
    exit breaches > 0
}

function breach(sentence) {
    printf "%s:%d: %s\n", FILENAME, FNR, sentence
    breaches++
}

function starts_with(text, prefix) {
    return substr(text, 1, length(prefix)) == prefix
}

function has_word(text, word) {
    return text ~ ("(^|[^A-Za-z0-9_])" word "([^A-Za-z0-9_]|$)")
}

# `import M`, with any access level and attribute before it, and `import struct M.S`.
function imports(module) {
    return code ~ ("(^|[^A-Za-z0-9_])import[ \t]+([a-z]+[ \t]+)?" module "([^A-Za-z0-9_]|$)")
}

# The reactor itself, which has the system's, the budget of seconds for a number of seeds, names of files that are nobody else's, and the system below
# services, which no simulation has.
function reads_time_by_right(file) {
    return starts_with(file, "Sources/TwillServices/System/") || file == "Sources/TwillTesting/Conformance/ConformanceSubject.swift" || file == "Sources/Twill/Libevent/LibeventReactor.swift" || file == "Sources/TwillTesting/Simulation/SeedPlan.swift"
}

function unsafe_is_allowed(file,    i) {
    for (i in allowed)
        if (allowed[i] ~ /\/$/ ? starts_with(file, allowed[i]) : file == allowed[i])
            return 1
    return 0
}

# The code of a line. Comments and literals that span lines are remembered in comment_depth, depth, inside_text and:
#   closing[depth]  what ends that literal: a quote or three, then as many # as opened it
#   escape[depth]   what starts an interpolation in it: a backslash, those # and a parenthesis
#   parens[depth]   parentheses open in the code that is interpolated into it
function code_of(line,    out, i, c, rest, pounds, quotes) {
    out = ""
    i = 1
    # A literal of one line that did not end there was no literal: a quote in a regular expression, say.
    while (depth > 0 && closing[depth] !~ /"""/) {
        depth--
        inside_text = 0
    }
    while (i <= length(line)) {
        c = substr(line, i, 1)
        if (comment_depth == 0 && !inside_text && c !~ /[\/"#()]/) {
            out = out c
            i++
            continue
        }
        rest = substr(line, i)
        if (comment_depth > 0) {
            if (starts_with(rest, "*/")) {
                comment_depth--
                i += 2
            } else if (starts_with(rest, "/*")) {
                comment_depth++
                i += 2
            } else
                i++
        } else if (inside_text) {
            if (starts_with(rest, closing[depth])) {
                i += length(closing[depth])
                depth--
                inside_text = 0
                out = out "\""
            } else if (starts_with(rest, escape[depth])) {
                i += length(escape[depth])
                parens[depth] = 1
                inside_text = 0
                out = out "("
            } else if (c == "\\" && length(escape[depth]) == 2)
                i += 2
            else
                i++
        } else if (starts_with(rest, "//")) {
            break
        } else if (starts_with(rest, "/*")) {
            comment_depth++
            i += 2
        } else if (match(rest, /^#*"/)) {
            pounds = substr(rest, 1, RLENGTH - 1)
            quotes = starts_with(substr(rest, RLENGTH), "\"\"\"") ? "\"\"\"" : "\""
            i += length(pounds) + length(quotes)
            depth++
            closing[depth] = quotes pounds
            escape[depth] = "\\" pounds "("
            inside_text = 1
            out = out "\""
        } else {
            if (depth > 0 && c == "(")
                parens[depth]++
            if (depth > 0 && c == ")" && --parens[depth] == 0)
                inside_text = 1
            out = out c
            i++
        }
    }
    return out
}
