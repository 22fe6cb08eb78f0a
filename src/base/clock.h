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
extern _Atomic uint64_t inf_clock_refreshed_ns;
uint64_t inf_clock_refresh(uint64_t mono_ns);

/* The Unix time of a monotonic instant of now, without another clock read: monotonic plus an offset that is at most one
 * second old. A step of the system's clock shows after that second. */
static inline uint64_t inf_unix_from_mono(uint64_t mono_ns)
{
    uint64_t refreshed = atomic_load_explicit(&inf_clock_refreshed_ns, memory_order_acquire);
    if (refreshed == 0 || mono_ns - refreshed >= INF_CLOCK_REFRESH_NS)
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
