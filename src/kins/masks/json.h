/* Polygons as JSON has them, [[x1, y1, x2, y2, ...], ...], read as they are in almost all files. Whatever else a value is,
sound or not, is left to those who read JSON in full. */

#include <stddef.h>
#include <stdint.h>

#define DIGITS 15 /* of any number with more, the digits may be no double, and dividing it would round a second time */

static const double TENS[DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static const char *past_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

static const char *read_digits(const char *at, const char *end, uint64_t *value) {
    for (unsigned digit; at < end && (digit = (unsigned)*at - '0') < 10; at++) *value = 10 * *value + digit;
    return at;
}

/* A number of few digits without an exponent. Returns what follows, or NULL for anything else. */
static const char *read_number(const char *at, const char *end, double *number) {
    uint64_t digits = 0;
    int negative = at < end && *at == '-';
    const char *first = at + negative;
    at = read_digits(first, end, &digits);
    if (at == first || (*first == '0' && at > first + 1)) return NULL;
    ptrdiff_t count = at - first, decimals = 0;
    if (at < end && *at == '.') {
        const char *point = at;
        at = read_digits(at + 1, end, &digits);
        decimals = at - point - 1;
        if (!decimals) return NULL;
    }
    if (count + decimals > DIGITS) return NULL;
    double value = decimals ? (double)digits / TENS[decimals] : (double)digits;
    *number = negative ? -value : value;
    return at;
}

/* Numbers [x1, y1, ...] to *numbers and after it. Returns what follows, or NULL for anything else. */
static const char *read_polygon(const char *at, const char *end, double **numbers) {
    if (at == end || *at != '[') return NULL;
    at = past_space(at + 1, end);
    if (at < end && *at == ']') return at + 1;
    for (;; at = past_space(at + 1, end)) {
        at = read_number(at, end, (*numbers)++);
        if (!at) return NULL;
        at = past_space(at, end);
        if (at == end) return NULL;
        if (*at == ']') return at + 1;
        if (*at != ',') return NULL;
    }
}

/* All polygons of a value that ends at `end`, with the size of each to `sizes`. Returns their number, or -1 for a value
that is anything else. */
static int64_t read_polygons(const char *at, const char *end, double **numbers, int64_t *sizes) {
    int64_t count = 0;
    at = past_space(at, end);
    if (at == end || *at != '[') return -1;
    at = past_space(at + 1, end);
    if (at < end && *at == ']') return past_space(at + 1, end) == end ? 0 : -1;
    for (;; at = past_space(at + 1, end)) {
        double *first = *numbers;
        at = read_polygon(at, end, numbers);
        if (!at) return -1;
        sizes[count++] = *numbers - first;
        at = past_space(at, end);
        if (at == end) return -1;
        if (*at == ']') return past_space(at + 1, end) == end ? count : -1;
        if (*at != ',') return -1;
    }
}
