/* data/prices.json as it was when this was built. Private to receiver/cost/. */
#ifndef INF_COST_BUILTIN_H
#define INF_COST_BUILTIN_H

extern const char inf_prices_builtin[];
extern const char inf_prices_builtin_end[];

#endif
