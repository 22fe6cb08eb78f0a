/* See bucket.h. */
#include "send/bucket.h"

#include <math.h>

void inf_bucket_init(inf_bucket *b, double rate, uint64_t now_ns)
{
    *b = (inf_bucket){.tokens = INF_BUCKET_BURST, .rate = rate, .filled_ns = now_ns};
}

static void refill(inf_bucket *b, uint64_t now_ns)
{
    if (now_ns <= b->filled_ns)
        return;
    b->tokens += (double)(now_ns - b->filled_ns) * 1e-9 * b->rate;
    if (b->tokens > INF_BUCKET_BURST)
        b->tokens = INF_BUCKET_BURST;
    b->filled_ns = now_ns;
}

bool inf_bucket_is_low(inf_bucket *b, uint64_t now_ns)
{
    if (b->rate <= 0)
        return false;
    refill(b, now_ns);
    return b->tokens < INF_BUCKET_BURST / 2;
}

uint64_t inf_bucket_take(inf_bucket *b, uint64_t now_ns)
{
    if (b->rate <= 0)
        return 0;
    refill(b, now_ns);
    if (b->tokens >= 1) {
        b->tokens -= 1;
        return 0;
    }
    double wait = ceil((1 - b->tokens) / b->rate * 1e9);
    return wait < 1 ? 1 : wait > 3.6e12 ? (uint64_t)3600000000000u : (uint64_t)wait;
}
