/* See retry.h. Dates are read by hand: strptime() follows the program's locale. */
#include "send/retry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

uint32_t inf_retry_delay_ms(unsigned failures, uint64_t random)
{
    uint32_t ceiling = INF_RETRY_MAX_MS;
    if (failures > 0 && failures <= 7)
        ceiling = INF_RETRY_FIRST_MS << (failures - 1);
    if (ceiling > INF_RETRY_MAX_MS)
        ceiling = INF_RETRY_MAX_MS;
    return 1 + (uint32_t)(random % ceiling);
}

static int month_number(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(names + 3 * (size_t)i, name, 3) == 0)
            return i;
    return -1;
}

static bool scan_date(const char *text, struct tm *out)
{
    char month[4] = "";
    int year = 0;
    *out = (struct tm){0};
    const char *comma = strchr(text, ',');
    if (comma) {
        /* Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT */
        if (sscanf(comma + 1, " %2d%*1[- ]%3[A-Za-z]%*1[- ]%4d %2d:%2d:%2d GMT", &out->tm_mday, month, &year,
                   &out->tm_hour, &out->tm_min, &out->tm_sec) != 6)
            return false;
    } else if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d", month, &out->tm_mday, &out->tm_hour,
                      &out->tm_min, &out->tm_sec, &year) != 6) {
        return false; /* Sun Nov  6 08:49:37 1994 */
    }
    if (year < 100)
        year += year < 70 ? 2000 : 1900;
    out->tm_mon = month_number(month);
    out->tm_year = year - 1900;
    return out->tm_mon >= 0 && out->tm_mday >= 1 && out->tm_mday <= 31 && out->tm_hour >= 0 && out->tm_hour < 24 &&
           out->tm_min >= 0 && out->tm_min < 60 && out->tm_sec >= 0 && out->tm_sec <= 60;
}

int64_t inf_retry_after_ms(const char *value, uint64_t unix_ns)
{
    while (*value == ' ' || *value == '\t')
        value++;
    size_t digits = strspn(value, "0123456789");
    if (digits > 0) {
        if (value[digits + strspn(value + digits, " \t")] != '\0')
            return -1;
        int64_t seconds = 0;
        for (size_t i = 0; i < digits; i++) {
            seconds = seconds * 10 + (value[i] - '0');
            if (seconds > INF_RETRY_AFTER_MAX_MS / 1000)
                return INF_RETRY_AFTER_MAX_MS;
        }
        return seconds * 1000;
    }
    struct tm date;
    if (!scan_date(value, &date))
        return -1;
    time_t at = timegm(&date);
    if (at == (time_t)-1)
        return -1;
    int64_t ms = (int64_t)at * 1000 - (int64_t)(unix_ns / 1000000);
    return ms < 0 ? 0 : ms > INF_RETRY_AFTER_MAX_MS ? INF_RETRY_AFTER_MAX_MS : ms;
}
