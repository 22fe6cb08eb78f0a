/* The slow parts of clock.h: the offset between the clocks, and dates as text. */
#include "base/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/os.h"
#include "infinium.h"

#define SECOND_LENGTH 19 /* "2026-11-23T08:00:00" */

_Atomic uint64_t inf_clock_offset_ns;
_Atomic uint64_t inf_clock_refresh_at_ns;

#if defined(__x86_64__)
#define FIRST_LOOK_NS 100000000u /* between the first two looks at the counter: by which its rate is first known */
#define SHORTEST_LOOK_NS 50000000u
#define STRAYED_NS 1000000u /* in a second; the kernel itself turns its clock by half of that at most */
#define STRAYED_MAX 3

struct inf_tick inf_tick;

/* One reading of both clocks at a time. */
typedef struct look {
    uint64_t counter, mono_ns;
} look;

static look look_at_both(void)
{
    look best = {0, 0};
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 4; i++) { /* a thread that was interrupted in between tries again */
        uint64_t before = __builtin_ia32_rdtsc();
        uint64_t mono_ns = inf_mono_ns();
        uint64_t took = __builtin_ia32_rdtsc() - before;
        if (took < shortest) {
            shortest = took;
            best = (look){before + took / 2, mono_ns};
        }
    }
    return best;
}

/* Whether the kernel itself keeps time by the counter: then it runs evenly and alike on all processors, whatever the
 * machine, and the kernel watches that it goes on to. */
static bool counter_is_trusted(void)
{
    char name[8] = {0};
    int fd = inf_os.open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    ssize_t n = inf_os.read(fd, name, sizeof(name));
    inf_os.close(fd);
    return n >= 4 && memcmp(name, "tsc\n", 4) == 0;
}

/* Sets inf_tick to the clock; true when it can be used. One thread at a time does it, nobody waits for it. */
static bool set_tick(void)
{
    static look last; /* guarded by the odd sequence, as are the others */
    static bool asked, trusted;
    static unsigned strayed;
    __extension__ typedef unsigned __int128 wide;
    uint64_t sequence = atomic_load_explicit(&inf_tick.sequence, memory_order_relaxed);
    if (sequence % 2 || !atomic_compare_exchange_strong_explicit(&inf_tick.sequence, &sequence, sequence + 1,
                                                                 memory_order_acquire, memory_order_relaxed))
        return true;
    uint64_t rate = atomic_load_explicit(&inf_tick.rate, memory_order_relaxed);
    if (!asked) {
        asked = true;
        trusted = counter_is_trusted();
    }
    if (trusted && strayed < STRAYED_MAX) {
        look now = look_at_both();
        uint64_t counts = now.counter - last.counter;
        uint64_t ns = now.mono_ns - last.mono_ns;
        if (now.counter <= last.counter || now.mono_ns <= last.mono_ns) {
            strayed++;
            rate = 0;
        } else if (last.mono_ns != 0 && ns >= SHORTEST_LOOK_NS) {
            uint64_t expected = (uint64_t)((wide)counts * rate >> 32);
            uint64_t off = expected > ns ? expected - ns : ns - expected;
            uint64_t seconds = ns / 1000000000u + 1;
            if (rate != 0 && off > STRAYED_NS * seconds) {
                strayed++; /* the machine slept or moved; or the counter is not what it is taken for */
                rate = 0;
            } else {
                wide exact = ((wide)ns << 32) / counts;
                rate = exact >> 40 ? 0 : (uint64_t)exact;
            }
        }
        if (last.mono_ns == 0 || rate == 0 || ns >= SHORTEST_LOOK_NS) {
            last = now;
            atomic_store_explicit(&inf_tick.counter, now.counter, memory_order_release);
            atomic_store_explicit(&inf_tick.mono_ns, now.mono_ns, memory_order_release);
        }
    } else {
        rate = 0;
    }
    atomic_store_explicit(&inf_tick.rate, rate, memory_order_release);
    atomic_store_explicit(&inf_tick.sequence, sequence + 2, memory_order_release);
    return rate != 0 || !trusted || strayed >= STRAYED_MAX;
}
#else
#define FIRST_LOOK_NS INF_CLOCK_REFRESH_NS
static bool set_tick(void)
{
    return true;
}
#endif

uint64_t inf_clock_refresh(uint64_t mono_ns)
{
    /* The Unix clock is read between two readings of the monotonic one; a thread that was interrupted in between tries
     * again, so that the offset is good to about a microsecond. */
    uint64_t offset = 0;
    uint64_t best = UINT64_MAX;
    uint64_t after = 0;
    for (int i = 0; i < 4 && best > 1000; i++) {
        uint64_t before = inf_mono_ns();
        uint64_t unix_ns = inf_unix_ns();
        after = inf_mono_ns();
        if (after - before < best) {
            best = after - before;
            offset = unix_ns - (before + best / 2);
        }
    }
    uint64_t next = after + (set_tick() ? INF_CLOCK_REFRESH_NS : FIRST_LOOK_NS);
    atomic_store_explicit(&inf_clock_offset_ns, offset, memory_order_relaxed);
    atomic_store_explicit(&inf_clock_refresh_at_ns, next, memory_order_release);
    return mono_ns + offset;
}

/* Days since 1970-01-01 to a civil date and back: the Gregorian calendar repeats every 400 years = 146,097 days. Years
 * are counted from March, so that the leap day is a year's last. */
static void civil_from_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    days += 719468; /* from 0000-03-01 */
    uint64_t era = days / 146097;
    unsigned of_era = (unsigned)(days % 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (unsigned)(era * 400) + year_of_era + (*month <= 2);
}

static uint64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
    if (month <= 2)
        year--;
    unsigned era = year / 400;
    unsigned year_of_era = year % 400;
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (uint64_t)era * 146097 + of_era - 719468;
}

static char *put_digits(char *p, uint64_t value, unsigned width)
{
    for (unsigned i = width; i-- > 0; value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + width;
}

static void put_second(uint64_t seconds, char out[SECOND_LENGTH])
{
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned of_day = (unsigned)(seconds % 86400);
    civil_from_days(seconds / 86400, &year, &month, &day);
    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, of_day / 60 % 60, 2);
    *p++ = ':';
    put_digits(p, of_day % 60, 2);
}

size_t inf_rfc3339(uint64_t unix_ns, unsigned digits, char out[INF_RFC3339_SIZE])
{
    /* The dates that one thread writes are mostly of the same second. */
    static _Thread_local struct {
        uint64_t next; /* the second after the one in `text`; 0: none yet */
        char text[SECOND_LENGTH];
    } last;
    uint64_t seconds = unix_ns / 1000000000u;
    uint64_t fraction = unix_ns % 1000000000u;
    if (last.next != seconds + 1) {
        put_second(seconds, last.text);
        last.next = seconds + 1;
    }
    memcpy(out, last.text, SECOND_LENGTH);
    char *p = out + SECOND_LENGTH;
    if (digits > 9)
        digits = 9;
    if (digits > 0) {
        *p++ = '.';
        for (unsigned i = digits; i < 9; i++)
            fraction /= 10;
        p = put_digits(p, fraction, digits);
    }
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

struct scan {
    const char *p;
    const char *end;
};

/* Exactly `width` digits. */
static bool scan_number(struct scan *s, unsigned width, unsigned *out)
{
    if ((size_t)(s->end - s->p) < width)
        return false;
    unsigned value = 0;
    for (unsigned i = 0; i < width; i++) {
        unsigned digit = (unsigned)(unsigned char)*s->p++ - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool scan_char(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool scan_fraction(struct scan *s, uint64_t *nanoseconds)
{
    *nanoseconds = 0;
    if (!scan_char(s, '.'))
        return true;
    unsigned digits = 0;
    for (unsigned digit; s->p < s->end && (digit = (unsigned)(unsigned char)*s->p - '0') <= 9; s->p++, digits++)
        if (digits < 9)
            *nanoseconds = *nanoseconds * 10 + digit;
    for (unsigned i = digits; i < 9; i++)
        *nanoseconds *= 10;
    return digits > 0;
}

/* Minutes east of UTC. */
static bool scan_offset(struct scan *s, int *minutes)
{
    *minutes = 0;
    if (scan_char(s, 'Z') || scan_char(s, 'z'))
        return true;
    int sign = scan_char(s, '-') ? -1 : scan_char(s, '+') ? 1 : 0;
    unsigned hour;
    unsigned minute;
    if (!sign || !scan_number(s, 2, &hour) || !scan_char(s, ':') || !scan_number(s, 2, &minute) || hour > 23 ||
        minute > 59)
        return false;
    *minutes = sign * (int)(hour * 60 + minute);
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int inf_rfc3339_parse(const char *text, size_t length, uint64_t *unix_ns)
{
    struct scan s = {text, text + length};
    unsigned year, month, day, hour, minute, second;
    uint64_t fraction;
    int offset;
    if (!scan_number(&s, 4, &year) || !scan_char(&s, '-') || !scan_number(&s, 2, &month) || !scan_char(&s, '-') ||
        !scan_number(&s, 2, &day) || !(scan_char(&s, 'T') || scan_char(&s, 't') || scan_char(&s, ' ')) ||
        !scan_number(&s, 2, &hour) || !scan_char(&s, ':') || !scan_number(&s, 2, &minute) || !scan_char(&s, ':') ||
        !scan_number(&s, 2, &second) || !scan_fraction(&s, &fraction) || !scan_offset(&s, &offset) || s.p != s.end)
        return INF_EBADMSG;
    if (year < 1970 || year > 2553 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return INF_EBADMSG;
    int64_t seconds = (int64_t)(days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) -
                      (int64_t)offset * 60;
    if (seconds < 0)
        return INF_EBADMSG;
    *unix_ns = (uint64_t)seconds * 1000000000u + fraction;
    return INF_OK;
}
