/* See json_number.h. */
#include "base/json_number.h"

#include <string.h>

#define LARGEST_UNSIGNED "18446744073709551615"
#define LARGEST_NEGATIVE "9223372036854775808"
#define LARGEST_DOUBLE "17976931348623157" /* digits of it; times 10^292 */
#define LARGEST_POWER 309                  /* it is below 10^309 */
#define MAX_EXPONENT 100000

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_number(char c)
{
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool integer_fits(const char *digits, size_t length, bool negative)
{
    const char *largest = negative ? LARGEST_NEGATIVE : LARGEST_UNSIGNED;
    size_t most = strlen(largest);
    return length < most || (length == most && memcmp(digits, largest, most) <= 0);
}

static long exponent_of(const char *p, const char *end)
{
    long value = 0;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (; p < end && is_digit(*p) && value < MAX_EXPONENT; p++)
        value = value * 10 + (*p - '0');
    return negative ? -value : value;
}

/* The number is 0.DIGITS times 10^power; only power and the first digits matter. */
static bool double_fits(const char *p, const char *end)
{
    char digits[sizeof(LARGEST_DOUBLE)] = "";
    size_t kept = 0;
    long power = 0;
    bool point = false;
    bool counting = false; /* a digit other than 0 has been seen */
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        counting = counting || *p != '0';
        if (counting && !point)
            power++;
        else if (!counting && point)
            power--;
        if (counting && kept + 1 < sizeof(digits))
            digits[kept++] = *p;
    }
    if (!counting)
        return true;
    if (p < end)
        power += exponent_of(p + 1, end);
    if (power != LARGEST_POWER)
        return power < LARGEST_POWER;
    while (kept + 1 < sizeof(digits))
        digits[kept++] = '0';
    return memcmp(digits, LARGEST_DOUBLE, kept) <= 0;
}

bool inf_json_number_fits(const char *text, size_t length)
{
    const char *end = text + length;
    bool negative = length > 0 && *text == '-';
    const char *digits = text + negative;
    for (const char *p = digits; p < end; p++)
        if (!is_digit(*p))
            return double_fits(digits, end);
    return integer_fits(digits, (size_t)(end - digits), negative);
}

size_t inf_json_quote_numbers(inf_buf *out, const void *json, size_t length)
{
    const char *p = json;
    const char *end = p + length;
    const char *copied = p; /* everything before is in `out` */
    size_t count = 0;
    while (p < end) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\' && p + 1 < end;
            p += p < end;
        } else if (is_digit(*p) || *p == '-') {
            const char *start = p;
            while (p < end && in_number(*p))
                p++;
            if (inf_json_number_fits(start, (size_t)(p - start)))
                continue;
            inf_buf_put(out, copied, (size_t)(start - copied));
            inf_buf_put_byte(out, '"');
            inf_buf_put(out, start, (size_t)(p - start));
            inf_buf_put_byte(out, '"');
            copied = p;
            count++;
        } else {
            p++;
        }
    }
    if (copied < end)
        inf_buf_put(out, copied, (size_t)(end - copied));
    return count;
}
