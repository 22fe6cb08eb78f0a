/* Prices: the calculation against figures worked out by hand, the names that traces give, bad files, reloading. */
#include "receiver/running.h"

#include "base/clock.h"
#include "cost/book.h"
#include "cost/trace.h"

static const char table[] =
    "{\"format\":1,\"source\":{\"package\":\"p\",\"version\":\"1\",\"taken\":\"2026-01-02\"},\"providers\":["
    "{\"id\":\"acme\",\"names\":[\"acme.ai\"],\"models_of_its_own\":[\"acme-*\"],\"models\":["
    "{\"names\":[\"acme-1\"],\"prices\":[{\"in\":2,\"cached\":0.5,\"write\":2.5,\"out\":10,\"reasoning\":20}]},"
    "{\"names\":[\"acme-plain\"],\"prices\":[{\"in\":2,\"out\":10}]},"
    "{\"names\":[\"acme-embed\"],\"prices\":[{\"in\":0.02}]},"
    "{\"names\":[\"acme-free\"],\"prices\":[{\"in\":0,\"out\":0}]},"
    "{\"names\":[\"acme-call\"],\"prices\":[{\"in\":1,\"out\":1,\"call\":0.005}]},"
    "{\"names\":[\"acme-long*\"],\"prices\":[{\"in\":1,\"out\":4,\"cached\":0.1,\"over\":[{\"tokens\":200000,\"in\":2,"
    "\"out\":8}]}]},"
    "{\"names\":[\"acme-longer*\"],\"prices\":[{\"in\":7,\"out\":7}]},"
    "{\"names\":[\"acme-dear\"],\"prices\":[{\"in\":100000,\"out\":100000}]},"
    "{\"names\":[\"acme-when\"],\"prices\":[{\"in\":1,\"out\":1},{\"since\":\"2026-06-01\",\"in\":3,\"out\":3},"
    "{\"since\":\"2026-06-01\",\"hours\":[\"22:00\",\"06:00\"],\"in\":5,\"out\":5}]}]},"
    "{\"id\":\"reseller\",\"names\":[],\"also\":[\"acme\"],\"models\":[{\"names\":[\"acme-plain\"],\"prices\":[{\"in\":"
    "1,\"out\":1}]}]}]}";

static inf_prices *parse(const char *json)
{
    char reason[200] = "";
    inf_prices *prices;
    int rc = inf_prices_parse(&prices, json, strlen(json), reason, sizeof reason);
    if (rc != 0)
        fail_msg("%s", reason);
    return prices;
}

static uint64_t at(const char *time)
{
    uint64_t ns;
    assert_int_equal(inf_rfc3339_parse(time, strlen(time), &ns), 0);
    return ns;
}

static int64_t cost(const inf_prices *prices, inf_price_query q)
{
    static inf_price_cache cache;
    int64_t first = (cache.lookups = 0, inf_price(prices, &cache, &q));
    int64_t again = inf_price(prices, &cache, &q); /* now out of the cache */
    assert_true(first == again);
    return first;
}

#define COST(prices, ...) cost(prices, (inf_price_query){.provider = __VA_ARGS__})
#define UNKNOWN INF_COST_UNKNOWN

static void calculation(void **state)
{
    (void)state;
    inf_prices *p = parse(table);
    assert_string_equal(inf_prices_source(p), "p 1, 2026-01-02");
    assert_int_equal(inf_prices_models(p), 10);
    /* 1,000 in at $2/M and 100 out at $10/M: 0.002 + 0.001 dollars */
    assert_int_equal(COST(p, "acme", "acme-1", 0, 1000, 100), 3000000);
    /* of 1,000: 600 cached (0.5), 300 written (2.5), 100 plain (2); of 100: 40 reasoning (20), 60 plain (10) */
    assert_int_equal(COST(p, "acme", "acme-1", 0, 1000, 100, 600, 300, 40),
                     600 * 500 + 300 * 2500 + 100 * 2000 + 40 * 20000 + 60 * 10000);
    /* where the table has no price of its own for them, they cost what the rest costs: never twice, never nothing */
    assert_int_equal(COST(p, "acme", "acme-plain", 0, 1000, 100, 600, 300, 40), 1000 * 2000 + 100 * 10000);
    /* parts that are larger than the whole are cut to it */
    assert_int_equal(COST(p, "acme", "acme-1", 0, 1000, 0, 5000, 300), 1000 * 500);
    assert_int_equal(COST(p, "acme", "acme-1", 0, 1000, 0, -5, -7), 1000 * 2000);
    /* no tokens, no price for what was made, no model: unknown; a price of nothing is known */
    assert_int_equal(COST(p, "acme", "acme-1", 0, 0, 0), UNKNOWN);
    assert_int_equal(COST(p, "acme", "acme-embed", 0, 1000, 0), 20000);
    assert_int_equal(COST(p, "acme", "acme-embed", 0, 1000, 1), UNKNOWN);
    assert_int_equal(COST(p, "acme", "acme-free", 0, 1000, 100), 0);
    assert_int_equal(COST(p, "acme", NULL, 0, 1000, 100), UNKNOWN);
    assert_int_equal(COST(p, "acme", "", 0, 1000, 100), UNKNOWN);
    assert_int_equal(COST(p, "acme", "acme-call", 0, 1000, 0, .calls = 3), 1000 * 1000 + 3 * 5000000);
    /* rounding, half up: one token at $0.02/M is 20 nano-dollars */
    assert_int_equal(COST(p, "acme", "acme-embed", 0, 1, 0), 20);
    /* overflow and what nobody believes */
    assert_int_equal(COST(p, "acme", "acme-dear", 0, INT64_MAX, INT64_MAX), UNKNOWN);
    assert_int_equal(COST(p, "acme", "acme-dear", 0, 1000000000, 1), UNKNOWN);
    inf_prices_free(p);
}

static void steps_and_times(void **state)
{
    (void)state;
    inf_prices *p = parse(table);
    assert_int_equal(COST(p, "acme", "acme-long-2", 0, 200000, 1000), 200000ll * 1000 + 1000 * 4000);
    assert_int_equal(COST(p, "acme", "acme-long-2", 0, 200001, 1000), 200001ll * 2000 + 1000 * 8000);
    /* a step keeps what it does not say */
    assert_int_equal(COST(p, "acme", "acme-long-2", 0, 300000, 0, 300000), 300000ll * 100);
    /* three calls of 100,000 each have not passed 200,000 */
    assert_int_equal(COST(p, "acme", "acme-long-2", 0, 300000, 0, .calls = 3), 300000ll * 1000);
    assert_int_equal(COST(p, "acme", "acme-longer-3", 0, 1000, 0), 7000000); /* the longer name */

    assert_int_equal(COST(p, "acme", "acme-when", at("2026-05-31T23:00:00Z"), 1000, 0), 1000000);
    assert_int_equal(COST(p, "acme", "acme-when", at("2026-06-01T12:00:00Z"), 1000, 0), 3000000);
    assert_int_equal(COST(p, "acme", "acme-when", at("2026-06-01T22:00:00Z"), 1000, 0), 5000000);
    assert_int_equal(COST(p, "acme", "acme-when", at("2026-06-02T05:59:59Z"), 1000, 0), 5000000);
    assert_int_equal(COST(p, "acme", "acme-when", at("2026-06-02T06:00:00Z"), 1000, 0), 3000000);
    inf_prices_free(p);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *model;
        bool known;
    } rows[] = {
        {"acme", "ACME-Plain", true},
        {"acme.ai", "acme-plain", true},
        {"Acme.AI", "acme-plain", true},
        {NULL, "acme-plain", true},
        {"", "acme-plain", true},
        {"multiple", "acme-plain", true},
        {NULL, "acme/acme-plain", true},
        {NULL, "acme.ai/acme-plain", true},
        {"litellm", "acme/acme-plain", true},
        {"acme", "acme-plain-20260101", true},
        {"acme", "acme-plain-2026-01-01", true},
        {"acme", "acme-plain@20260101", true},
        {"acme", "acme-plain-latest", true},
        {"acme", "acme-plain-001", true},
        {"acme", "acme-plain-20260101-v1:0", true},
        {"acme", "models/acme-plain", true},
        {"acme", "projects/x/locations/y/publishers/z/models/acme-plain@001", true},
        {"acme", "acme-plainer", false},
        {"acme", "acme-plain-turbo", false},
        {"acme", "plain", false},
        {"home", "acme-plain", false}, /* on one's own machine, perhaps: not this price */
        {"home", "acme/acme-plain", false},
        {NULL, "other/acme-plain", false},
        {NULL, "/", false},
        {NULL, "-latest", false},
    };
    inf_prices *p = parse(table);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t got = COST(p, rows[i].provider, rows[i].model, 0, 1000, 0);
        if (got != (rows[i].known ? 2000000 : UNKNOWN))
            fail_msg("%s %s: %lld", rows[i].provider ? rows[i].provider : "-", rows[i].model, (long long)got);
    }
    /* a reseller's own price, then those of whom it sells for */
    assert_int_equal(COST(p, "reseller", "acme-plain", 0, 1000, 0), 1000000);
    assert_int_equal(COST(p, "reseller", "acme-embed", 0, 1000, 0), 20000);
    /* a name longer than any */
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(COST(p, "acme", longest, 0, 1000, 0), UNKNOWN);
    assert_int_equal(COST(p, longest, "acme-plain", 0, 1000, 0), UNKNOWN);
    inf_prices_free(p);
}

/* Names with a new model each must not cost a look-up each for ever. */
static void lookups_are_bounded(void **state)
{
    (void)state;
    inf_prices *p = parse(table);
    inf_price_cache cache = {0};
    int known = 0;
    for (int i = 0; i < 2 * INF_PRICE_LOOKUPS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "acme-long%d", i);
        known += inf_price(p, &cache, &(inf_price_query){"acme", name, 0, 1000, 0, 0, 0, 0, 1}) >= 0;
    }
    assert_int_equal(known, INF_PRICE_LOOKUPS_MAX);
    assert_int_equal(cache.lookups, INF_PRICE_LOOKUPS_MAX);
    inf_prices_free(p);
}

static void bad_tables(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"format\":2,\"providers\":[]}",
        "{\"format\":1}",
        "{\"format\":1,\"providers\":{}}",
        "{\"format\":1,\"providers\":[1]}",
        "{\"format\":1,\"providers\":[{\"id\":\"\",\"models\":[]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\"}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"]}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[]}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"in\":-1}]}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"in\":\"1\"}]}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"in\":1e300}]}]}]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"since\":\"soon\"}]}]}"
        "]}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"hours\":[\"1\"]}]}]}]"
        "}",
        "{\"format\":1,\"providers\":[{\"id\":\"a\",\"models\":[{\"names\":[\"x\"],\"prices\":[{\"in\":1,\"over\":"
        "[{\"tokens\":9},{\"tokens\":9}]}]}]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char reason[200] = "";
        inf_prices *p;
        if (inf_prices_parse(&p, bad[i], strlen(bad[i]), reason, sizeof reason) != INF_EINVAL || !*reason || p)
            fail_msg("taken: %s (%s)", bad[i], reason);
    }
}

static int64_t of_trace(inf_pricer *pricer, const char *json)
{
    inf_json *parser = inf_json_new();
    inf_json_value root, steps, usage;
    assert_int_equal(inf_json_parse(parser, json, strlen(json), 0, &root), 0);
    bool has_steps = inf_json_get(root, "steps", &steps);
    bool has_usage = inf_json_get(root, "llm_usage", &usage);
    int64_t out = inf_cost_of_trace(pricer, has_steps ? &steps : NULL, has_usage ? &usage : NULL, 0);
    inf_json_free(parser);
    return out;
}

#define CALL(prompt) "{\"provider\":\"acme\",\"model\":\"acme-plain\",\"prompt_tokens\":" #prompt "}"

static inf_price_book *book_of(const char *dir, const char *json)
{
    char path[1024], message[300] = "";
    snprintf(path, sizeof path, "%s/prices.json", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(json, file);
    fclose(file);
    inf_price_book *book;
    int rc = inf_price_book_open(&book, NULL, dir, message, sizeof message);
    if (rc != 0)
        fail_msg("%s", message);
    return book;
}

static void traces(void **state)
{
    (void)state;
    struct running r;
    make_dir(&r);
    char *dir = r.dir;
    inf_price_book *book = book_of(dir, table);
    inf_pricer pricer = {.book = book};
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":" CALL(1000) "},{},{\"llm_call\":" CALL(500) "}]}"),
                     3000000);
    /* a call without a price does not take the others' away */
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":" CALL(1000) "},{\"llm_call\":{\"model\":\"x\"}}]}"),
                     2000000);
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":{\"model\":\"x\",\"prompt_tokens\":5}}]}"), UNKNOWN);
    /* the same calls told twice cost once; the place that tells of more counts */
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":" CALL(1000) "}],\"llm_usage\":{\"calls\":[" CALL(
                                           1000) "],\"prompt_tokens\":1000,\"model\":\"acme-plain\"}}"),
                     2000000);
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":" CALL(1000) "}],\"llm_usage\":{\"calls\":[" CALL(
                                           1000) "," CALL(1000) "]}}"),
                     4000000);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":" CALL(1000) "}"), 2000000);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"model\":\"multiple\",\"prompt_tokens\":1000}}"), UNKNOWN);
    /* what the program says itself */
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"estimated_cost_usd\":0.25,\"calls\":[" CALL(1000) "]}}"),
                     250000000);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"estimated_cost_usd\":0}}"), 0);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"estimated_cost_usd\":-1}}"), UNKNOWN);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"estimated_cost_usd\":1e30}}"), UNKNOWN);
    assert_int_equal(of_trace(&pricer, "{\"llm_usage\":{\"estimated_cost_usd\":\"1\"}}"), UNKNOWN);
    /* a gateway that calls the model by a name of its own */
    assert_int_equal(of_trace(&pricer, "{\"steps\":[{\"llm_call\":{\"provider\":\"acme\",\"model\":\"deployment-7\","
                                       "\"request_model\":\"acme-plain\",\"prompt_tokens\":1000}}]}"),
                     2000000);
    assert_int_equal(of_trace(&pricer, "{\"steps\":7,\"llm_usage\":[]}"), UNKNOWN);
    assert_int_equal(of_trace(&pricer, "{}"), UNKNOWN);
    inf_pricer none = {0};
    assert_int_equal(of_trace(&none, "{\"llm_usage\":" CALL(1000) "}"), UNKNOWN);

    inf_json *parser = inf_json_new();
    inf_json_value root;
    static const char body[] = "{\"steps\":[{},{\"llm_call\":" CALL(1000) "},{\"llm_call\":{\"model\":\"x\"}}]}";
    assert_int_equal(inf_json_parse(parser, body, sizeof body - 1, 0, &root), 0);
    inf_buf out;
    inf_buf_init(&out, 10000);
    inf_json_writer w = inf_json_writer_on(&out);
    inf_cost_calls_write(&w, &pricer, root, 0);
    assert_string_equal(inf_buf_text(&out), "[{\"step\":1,\"call\":null,\"model\":\"acme-plain\",\"cost_usd\":0.002},"
                                            "{\"step\":2,\"call\":null,\"model\":\"x\",\"cost_usd\":null}]");
    inf_buf_free(&out);
    inf_json_free(parser);
    inf_pricer_end(&pricer);
    inf_price_book_close(book);
    remove_tree(dir);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[1024], temporary[1100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(temporary, path), 0);
}

static void reloading(void **state)
{
    (void)state;
    static const char one[] = "{\"llm_usage\":" CALL(1000) "}";
    struct running r;
    make_dir(&r);
    char *dir = r.dir;
    char message[300] = "", path[1024];
    inf_price_book *book;
    assert_int_equal(inf_price_book_open(&book, NULL, dir, message, sizeof message), 0);
    inf_pricer pricer = {.book = book};
    inf_price_book_describe(book, message, sizeof message);
    assert_non_null(strstr(message, "built in: genai-prices "));
    assert_int_equal(of_trace(&pricer, one), UNKNOWN);
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), 0);

    put_file(dir, "prices.json", table);
    assert_int_equal(of_trace(&pricer, one), UNKNOWN); /* nobody has looked yet */
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), 1);
    assert_int_equal(of_trace(&pricer, one), 2000000);
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), 0);

    put_file(dir, "prices.json", "{\"format\":1,\"providers\":[{}]}");
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), INF_EINVAL);
    assert_non_null(strstr(message, "a provider has no id"));
    assert_int_equal(of_trace(&pricer, one), 2000000); /* the old prices go on */
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), 0);

    snprintf(path, sizeof path, "%s/prices.json", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(inf_price_book_refresh(book, message, sizeof message), 1);
    assert_int_equal(of_trace(&pricer, one), UNKNOWN);
    inf_pricer_end(&pricer);
    inf_price_book_close(book);

    /* a file that the user named must be there and be good */
    assert_int_equal(inf_price_book_open(&book, path, dir, message, sizeof message), INF_ENOTFOUND);
    assert_non_null(strstr(message, path));
    put_file(dir, "prices.json", "nonsense");
    assert_int_equal(inf_price_book_open(&book, path, dir, message, sizeof message), INF_EINVAL);
    assert_int_equal(inf_price_book_open(&book, NULL, dir, message, sizeof message), INF_EINVAL);
    assert_int_equal(inf_price_book_open(&book, dir, dir, message, sizeof message), INF_EINVAL);
    remove_tree(dir);
}

/* The names that the providers' own clients and gateways give, with the table that is built in. Prices change with the
 * file: what is checked is that there is one, that it is the right model's (the same as under its plain name) and that
 * the shape is sane (a cached token is never dearer than a plain one). */
static void builtin(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *model, *same_as_provider, *same_as;
    } rows[] = {
        {"openai", "gpt-4o-2024-08-06", "openai", "gpt-4o"},
        {"openai", "gpt-4o-mini-2024-07-18", "openai", "gpt-4o-mini"},
        {"openai", "gpt-4.1-2025-04-14", "openai", "gpt-4.1"},
        {"openai", "o3-mini-2025-01-31", "openai", "o3-mini"},
        {"openai", "gpt-5-2025-08-07", "openai", "gpt-5"},
        {"azure", "gpt-4o-2024-08-06", "openai", "gpt-4o"},
        {"azure.ai.openai", "gpt-4o", "openai", "gpt-4o"},
        {"azure", "gpt-35-turbo", "azure", "gpt-35-turbo"},
        {NULL, "gpt-4o", "openai", "gpt-4o"},
        {NULL, "openai/gpt-4o", "openai", "gpt-4o"},
        {NULL, "azure/gpt-4o", "openai", "gpt-4o"},
        {"openai", "text-embedding-3-small", "openai", "text-embedding-3-small"},
        {"anthropic", "claude-3-5-sonnet-20241022", "anthropic", "claude-3-5-sonnet-latest"},
        {"anthropic", "claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"},
        {"anthropic", "claude-opus-4-1-20250805", "anthropic", "claude-opus-4-1"},
        {"google", "claude-3-5-sonnet@20241022", "anthropic", "claude-3-5-sonnet-latest"},
        {NULL, "claude-3-haiku-20240307", "anthropic", "claude-3-haiku"},
        {"aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "aws",
         "anthropic.claude-3-5-sonnet-20241022-v2:0"},
        {"bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", "aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"},
        {"google", "models/gemini-2.5-pro", "google", "gemini-2.5-pro"},
        {"gcp.gemini", "gemini-2.5-flash", "google", "gemini-2.5-flash"},
        {"gemini", "gemini-2.0-flash-001", "google", "gemini-2.0-flash"},
        {"gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "google", "gemini-2.5-pro"},
        {"xai", "grok-4", "x_ai", "grok-4-0709"},
        {"mistral_ai", "mistral-large-latest", "mistral", "mistral-large-latest"},
        {"deepseek", "deepseek-chat", "deepseek", "deepseek-chat"},
        {"groq", "llama-3.3-70b-versatile", "groq", "llama-3.3-70b-versatile"},
        {"openrouter", "anthropic/claude-3.5-haiku", "openrouter", "anthropic/claude-3.5-haiku"},
        {"cohere", "command-r-plus-08-2024", "cohere", "command-r-plus"},
    };
    struct running r;
    make_dir(&r);
    char *dir = r.dir;
    char message[300] = "";
    inf_price_book *book;
    assert_int_equal(inf_price_book_open(&book, NULL, dir, message, sizeof message), 0);
    inf_pricer pricer = {.book = book};
    const inf_prices *p = inf_pricer_begin(&pricer);
    assert_true(inf_prices_models(p) > 1000);
    int missing = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t when = at("2026-11-20T12:00:00Z");
        int64_t given = COST(p, rows[i].provider, rows[i].model, when, 1000000, 0);
        int64_t plain = COST(p, rows[i].same_as_provider, rows[i].same_as, when, 1000000, 0);
        int64_t cached = COST(p, rows[i].provider, rows[i].model, when, 1000000, 0, 1000000);
        if (given <= 0 || given != plain || cached > given) {
            print_message("%s %s: %lld, %lld\n", rows[i].provider, rows[i].model, (long long)given, (long long)plain);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
    assert_int_equal(COST(p, "openai", "gpt-99-never", 0, 1000, 0), UNKNOWN);
    assert_int_equal(COST(p, "ollama", "llama3.2", 0, 1000, 0), UNKNOWN);
    assert_int_equal(COST(p, NULL, "my-own-model", 0, 1000, 0), UNKNOWN);
    inf_pricer_end(&pricer);
    inf_price_book_close(book);
    remove_tree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calculation),         cmocka_unit_test(steps_and_times), cmocka_unit_test(names),
        cmocka_unit_test(lookups_are_bounded), cmocka_unit_test(bad_tables),      cmocka_unit_test(traces),
        cmocka_unit_test(reloading),           cmocka_unit_test(builtin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
