/* Settings: as a file, from the environment, as flags; and the counts that clients send in a header. The first byte
 * says which, the second which setting. What is taken is printed and must come back the same. */
#include "config.h"
#include "fuzz/fuzz.h"
#include "ingest/clients.h"

static const char *variable;
static const char *value;

static const char *environment(const char *name)
{
    return variable && strcmp(name, variable) == 0 ? value : NULL;
}

static void check_taken(const inf_config *config, const inf_config_sources *none)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    inf_config again;
    inf_buf out;
    inf_buf_init(&out, 1 << 20);
    inf_config_print(config, "file", &out);
    MUST(out.error == 0);
    MUST(inf_config_load_text(&again, none, "printed", (const char *)out.data, out.length, message) == 0);
    for (size_t i = 0; i < INF_CONFIG_ROWS; i++) {
        char before[1200], after[1200];
        const inf_config_row *row = &inf_config_rows[i];
        inf_config_value(row, &config->options, before, sizeof before);
        inf_config_value(row, &again.options, after, sizeof after);
        MUST(row->kind == INF_KIND_SECRET || strchr(before, '"') || strcmp(before, after) == 0);
    }
    inf_config_free(&again);
    inf_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[INF_CONFIG_MESSAGE_SIZE];
    const char *flags[INF_CONFIG_ROWS] = {0};
    inf_config_sources sources = {.flags = flags, .environment = environment}, none = {0};
    inf_client_counts counts;
    inf_config config;
    if (size < 2)
        return 0;
    char *text = text_of(data + 2, size - 2);
    size_t index = data[1] % INF_CONFIG_ROWS;
    bool file = data[0] % 4 == 0;
    variable = data[0] % 4 == 1 ? inf_config_rows[index].environment : NULL;
    value = text;
    if (data[0] % 4 == 2)
        flags[index] = text;
    if (data[0] % 4 == 3)
        (void)inf_client_counts_parse(text, &counts);
    int rc = inf_config_load_text(&config, &sources, "file", text, file ? size - 2 : 0, message);
    MUST((rc == 0) == !*message);
    MUST(strlen(message) < sizeof message);
    for (const char *p = message; *p; p++)
        MUST((unsigned char)*p >= 0x20);
    if (rc == 0)
        check_taken(&config, &none);
    inf_config_free(&config);
    free(text);
    return 0;
}
