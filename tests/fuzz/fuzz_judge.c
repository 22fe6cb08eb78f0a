/* What a chat-completions API answers, whole and as the text of a model; and a trace's body, from which a question is
 * made. The first byte says which. What comes out is in bounds, and a question is JSON whatever the trace held. */
#include "base/json_write.h"
#include "fuzz/fuzz.h"
#include "judge/answer.h"
#include "judge/prompt.h"

static void check(const inf_judge_answer *a)
{
    MUST(strlen(a->reason) <= INF_JUDGEMENT_REASON_MAX && strlen(a->error) <= INF_JUDGEMENT_ERROR_MAX &&
         strlen(a->model) <= INF_JUDGEMENT_MODEL_MAX);
    MUST(a->prompt_tokens >= -1 && a->completion_tokens >= -1 && a->cached_tokens >= -1);
    MUST(*a->error || (a->score >= 0 && a->score <= 1 && (unsigned)a->verdict < INF_VERDICTS));
}

static void read_answer(inf_json *outer, inf_json *inner, const void *body, size_t length)
{
    inf_judge_answer a;
    char error[64];
    inf_judge_answer_read(&a, outer, inner, body, length);
    check(&a);
    inf_judge_error_read(error, sizeof error, outer, 500, body, length);
    MUST(strlen(error) < sizeof error);
}

static void read_content(inf_json *outer, inf_json *inner, const void *text, size_t length)
{
    inf_buf body;
    inf_buf_init(&body, 1 << 24);
    inf_json_writer w = inf_json_writer_on(&body);
    inf_buf_put_text(&body, "{\"choices\":[{\"message\":{\"content\":");
    inf_json_put_string(&w, text, length);
    inf_buf_put_text(&body, "}}]}");
    if (body.error == 0)
        read_answer(outer, inner, body.data, body.length);
    inf_buf_free(&body);
}

static void ask(inf_json *parser, const void *text, size_t length)
{
    inf_summary m = {.name = "n", .status = INF_STATUS_OK, .cost_nano_usd = -1};
    inf_judge_question q = {.model = "m", .texts = true, .word = "w"};
    inf_json_value root;
    inf_buf out;
    if (inf_json_parse(parser, text, length, 0, &root) < 0)
        return;
    inf_buf_init(&out, INF_JUDGE_PROMPT_MAX);
    if (inf_judge_prompt_write(&out, &q, &m, root) == 0)
        MUST(inf_json_parse(parser, out.data, out.length, 0, &root) == 0);
    inf_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inf_json *outer = inf_json_new(), *inner = inf_json_new();
    MUST(outer && inner);
    if (size > 0 && data[0] % 3 == 0)
        read_answer(outer, inner, data + 1, size - 1);
    if (size > 0 && data[0] % 3 == 1)
        read_content(outer, inner, data + 1, size - 1);
    if (size > 0 && data[0] % 3 == 2)
        ask(outer, data + 1, size - 1);
    inf_json_free(outer);
    inf_json_free(inner);
    return 0;
}
