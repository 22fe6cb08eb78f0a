/* Time. The monotonic clock measures, the Unix clock dates; a trace reads one clock and derives the other.
 * All functions may be called from any thread and cannot fail. */
#ifndef INF_BASE_CLOCK_H
#define INF_BASE_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds of the monotonic clock. */
static inline uint64_t inf_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The same clock by the processor's time stamp counter, for less than half of the cost, once it is known how the
 * counter runs; until then, and where the kernel does not keep time by it, clock_gettime(). It is set against the
 * monotonic clock once a second by inf_unix_from_mono(), follows it to some microseconds, and may then step back by as
 * much: whoever subtracts must allow for that. For the begin and the end of traces. */
#if defined(__x86_64__)
#define INF_TICK_LIMIT 34 /* bits of counts after which it is not believed: some seconds */

struct inf_tick {
    _Atomic uint64_t sequence; /* odd while the others change */
    _Atomic uint64_t counter;
    _Atomic uint64_t mono_ns;
    _Atomic uint64_t rate; /* nanoseconds a count, times 2^32; 0: not known, or not to be used */
};
extern struct inf_tick inf_tick; /* private to this function and clock.c */

static inline uint64_t inf_tick_ns(void)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t sequence = atomic_load_explicit(&inf_tick.sequence, memory_order_acquire);
    uint64_t counter = atomic_load_explicit(&inf_tick.counter, memory_order_acquire);
    uint64_t mono_ns = atomic_load_explicit(&inf_tick.mono_ns, memory_order_acquire);
    uint64_t rate = atomic_load_explicit(&inf_tick.rate, memory_order_acquire);
    uint64_t passed = __builtin_ia32_rdtsc() - counter;
    /* Many counts: nobody has set it for seconds, or this processor's counter is behind that of the one who did. */
    if (rate == 0 || sequence % 2 || passed >> INF_TICK_LIMIT ||
        atomic_load_explicit(&inf_tick.sequence, memory_order_relaxed) != sequence)
        return inf_mono_ns();
    return mono_ns + (uint64_t)((wide)passed * rate >> 32);
}
#else
static inline uint64_t inf_tick_ns(void)
{
    return inf_mono_ns();
}
#endif

/* From one reading of inf_tick_ns() to another. */
static inline uint64_t inf_tick_between(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* Unix time in nanoseconds, from the system. */
static inline uint64_t inf_unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define INF_CLOCK_REFRESH_NS 1000000000u

/* Private to inf_unix_from_mono(). */
extern _Atomic uint64_t inf_clock_offset_ns;
extern _Atomic uint64_t inf_clock_refresh_at_ns;
uint64_t inf_clock_refresh(uint64_t mono_ns);

/* The Unix time of a monotonic instant of now, without another clock read: monotonic plus an offset that is at most one
 * second old. A step of the system's clock shows after that second. */
static inline uint64_t inf_unix_from_mono(uint64_t mono_ns)
{
    if ((int64_t)(mono_ns - atomic_load_explicit(&inf_clock_refresh_at_ns, memory_order_acquire)) >= 0)
        return inf_clock_refresh(mono_ns);
    return mono_ns + atomic_load_explicit(&inf_clock_offset_ns, memory_order_relaxed);
}

/* RFC 3339 in UTC with `digits` (0 to 9) digits of a second: "2026-11-23T02:56:20.972348Z". Writes a NUL too; returns
 * the length without it. INF_RFC3339_SIZE bytes are always enough. */
#define INF_RFC3339_SIZE 32
size_t inf_rfc3339(uint64_t unix_ns, unsigned digits, char out[INF_RFC3339_SIZE]);

/* Parses RFC 3339 with any offset ("Z", "+02:00"), 0 to 9 digits of a second (further ones are dropped), 'T', 't' or a
 * space between date and time, and years 1970 to 2553. 0 and *unix_ns, or INF_EBADMSG. */
int inf_rfc3339_parse(const char *text, size_t length, uint64_t *unix_ns);

#endif
