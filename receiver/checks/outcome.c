/* The trace against what its program said that it expects (expected_outcome). Deliverables are looked for in the
 * output; constraints and acceptance criteria are checked where their words say something that can be counted
 * (criterion.c). For the rest the check says that it was not made: that takes a judge. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/checks.h"
#include "checks/criterion.h"

enum { WISHES_MAX = 100, WISH_BYTES = 2000, OUTPUT_BYTES = 64 * 1024, STEPS_MAX = 4096, WORDS_MAX = 40 };

static bool word_byte(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* Words without a meaning of their own in "a report with the three largest risks". */
static bool filler(const char *word, size_t length)
{
    static const char *const fillers[] = {"the", "and", "for",  "with", "that", "this", "from",   "are",  "was",
                                          "all", "any", "each", "its",  "into", "must", "should", "have", "has"};
    if (length < 3)
        return true;
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++)
        if (strlen(fillers[i]) == length && memcmp(fillers[i], word, length) == 0)
            return true;
    return false;
}

/* Lower case, runs of what is neither letter nor digit as one space. */
static void plain(const char *text, size_t length, char *out, size_t size)
{
    size_t n = 0;
    bool space = false;
    for (size_t i = 0; i < length && n + 2 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!word_byte(c)) {
            space = n > 0;
            continue;
        }
        if (space)
            out[n++] = ' ';
        space = false;
        out[n++] = (char)tolower(c);
    }
    out[n] = 0;
}

/* A word but for an s at its end. */
static size_t stem(const char *word, size_t length)
{
    return length > 3 && word[length - 1] == 's' ? length - 1 : length;
}

static bool has_word(const char *output, const char *word, size_t length)
{
    length = stem(word, length);
    while (*output) {
        size_t n = strcspn(output, " ");
        if (stem(output, n) == length && memcmp(output, word, length) == 0)
            return true;
        output += n;
        output += *output == ' ';
    }
    return false;
}

/* Words of the wish that the output has; those that it lacks are listed. */
static unsigned count_words(const char *wish, const char *output, unsigned *all, char *missing, size_t size)
{
    unsigned found = 0;
    size_t n = 0;
    *all = 0;
    *missing = 0;
    for (const char *at = wish; *at && *all < WORDS_MAX;) {
        size_t length = strcspn(at, " ");
        if (!filler(at, length)) {
            ++*all;
            if (has_word(output, at, length))
                found++;
            else if (n + length + 3 < size)
                n += (size_t)snprintf(missing + n, size - n, "%s%.*s", n ? ", " : "", (int)length, at);
        }
        at += length;
        at += strspn(at, " ");
    }
    return found;
}

static void check_deliverable(inf_check_report *report, const char *text, size_t length, const inf_check_facts *facts)
{
    char wish[WISH_BYTES], missing[300], detail[800];
    unsigned all;
    enum inf_check_status status = INF_CHECK_FAIL;
    plain(text, length, wish, sizeof wish);
    if (!*wish) {
        status = INF_CHECK_NOT_CHECKED;
        snprintf(detail, sizeof detail, "There are no words in it.");
    } else if (!*facts->words) {
        snprintf(detail, sizeof detail, "The trace has no output.");
    } else if (strstr(facts->words, wish)) {
        status = INF_CHECK_PASS;
        snprintf(detail, sizeof detail, "The output has these words.");
    } else {
        unsigned found = count_words(wish, facts->words, &all, missing, sizeof missing);
        if (all > 0 && found == all)
            status = INF_CHECK_PASS;
        else if (found * 2 >= all || facts->output_cut)
            status = INF_CHECK_WARN;
        if (status == INF_CHECK_PASS)
            snprintf(detail, sizeof detail, "The output has all %u words of it, though not in a row.", all);
        else
            snprintf(detail, sizeof detail, "The output has %u of %u words; missing: %s.%s", found, all, missing,
                     facts->output_cut ? " What was kept of the output ends early." : "");
    }
    inf_check_put(report, "deliverable", "Required deliverable", status, text, length, detail, "the output's words");
}

static void check_criterion(inf_check_report *report, bool constraint, const char *text, size_t length,
                            const inf_check_facts *facts)
{
    char detail[600], with[120];
    enum inf_check_status status = inf_criterion_check(text, length, facts, detail, sizeof detail, with, sizeof with);
    inf_check_put(report, constraint ? "constraint" : "criterion", constraint ? "Constraint" : "Acceptance criterion",
                  status, text, length, detail, *with ? with : NULL);
}

/* Calls `check` for each text of a list. */
static void each(inf_check_report *report, inf_json_value outcome, const char *key, const inf_check_facts *facts)
{
    inf_json_value list;
    const char *text;
    size_t length;
    if (!inf_json_get(outcome, key, &list) || inf_json_type(list) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(list);
    for (int n = 0; n < WISHES_MAX && inf_json_next(&i); n++) {
        if (!inf_json_as_string(i.value, &text, &length) || length == 0)
            continue;
        length = length < WISH_BYTES ? length : WISH_BYTES - 1;
        if (*key == 'r')
            check_deliverable(report, text, length, facts);
        else
            check_criterion(report, *key == 'c', text, length, facts);
    }
}

/* The output: what the trace says of it, and the last steps' where it says nothing. */
static void read_output(inf_json_value root, inf_check_facts *facts)
{
    inf_json_value steps;
    if (inf_json_get_string(root, "output_summary", &facts->output, &facts->output_length)) {
        facts->output_cut = facts->output_length >= 3 && strcmp(facts->output + facts->output_length - 3, "...") == 0;
        return;
    }
    if (!inf_json_get(root, "steps", &steps) || inf_json_type(steps) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(steps);
    while (inf_json_next(&i))
        inf_json_get_string(i.value, "output_preview", &facts->output, &facts->output_length);
}

static void count_steps(inf_json_value root, inf_check_facts *facts)
{
    inf_json_value steps, tool;
    if (!inf_json_get(root, "steps", &steps) || inf_json_type(steps) != INF_JSON_ARRAY)
        return;
    inf_json_iterator i = inf_json_iterate(steps);
    for (int n = 0; n < STEPS_MAX && inf_json_next(&i); n++) {
        facts->steps++;
        facts->tool_calls += inf_json_get(i.value, "tool_call", &tool) && inf_json_type(tool) == INF_JSON_OBJECT;
    }
}

static bool has_items(inf_json_value outcome, const char *key)
{
    inf_json_value list;
    return inf_json_get(outcome, key, &list) && inf_json_type(list) == INF_JSON_ARRAY && inf_json_size(list) > 0;
}

bool inf_check_has_outcome(inf_json_value root)
{
    inf_json_value outcome;
    const char *text;
    size_t length;
    return inf_json_get(root, "expected_outcome", &outcome) &&
           ((inf_json_get_string(outcome, "task_objective", &text, &length) && length > 0) ||
            has_items(outcome, "required_deliverables") || has_items(outcome, "constraints") ||
            has_items(outcome, "acceptance_criteria"));
}

void inf_check_outcome(inf_check_report *report, const inf_summary *trace, inf_json_value root)
{
    inf_json_value outcome;
    const char *objective;
    size_t length;
    if (!inf_json_get(root, "expected_outcome", &outcome) || inf_json_type(outcome) != INF_JSON_OBJECT)
        return;
    inf_check_facts facts = {.output = "",
                             .duration_s = (double)trace->duration_ns / 1e9,
                             .prompt_tokens = trace->prompt_tokens,
                             .completion_tokens = trace->completion_tokens,
                             .cost_nano_usd = trace->cost_nano_usd,
                             .llm_calls = trace->llm_calls,
                             .well = trace->status == INF_STATUS_OK};
    char *words = malloc(OUTPUT_BYTES);
    if (!words)
        return;
    read_output(root, &facts);
    count_steps(root, &facts);
    plain(facts.output, facts.output_length, words, OUTPUT_BYTES);
    facts.words = words;
    if (inf_json_get_string(outcome, "task_objective", &objective, &length) && length > 0)
        inf_check_put(report, "objective", "Task objective", INF_CHECK_NOT_CHECKED, objective,
                      length < WISH_BYTES ? length : WISH_BYTES, "Whether it was reached takes a judge.", NULL);
    each(report, outcome, "required_deliverables", &facts);
    each(report, outcome, "constraints", &facts);
    each(report, outcome, "acceptance_criteria", &facts);
    free(words);
}
