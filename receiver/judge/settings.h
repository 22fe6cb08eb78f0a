/* What the settings say about the judge, checked and copied once, at the start (docs/judge.md). */
#ifndef INF_JUDGE_SETTINGS_H
#define INF_JUDGE_SETTINGS_H

#include "config.h"
#include "store/judgements.h"

#define INF_JUDGE_KEY_MAX 2000   /* bytes */
#define INF_JUDGE_AGENTS_MAX 100 /* that can be named */

typedef struct inf_judge_settings {
    char url[1100];                  /* ".../chat/completions" */
    char key[INF_JUDGE_KEY_MAX + 1]; /* "": none is sent */
    char model[INF_JUDGEMENT_MODEL_MAX + 1];
    char authority[1100]; /* a file of certificates; "": the system's */
    char names[1001];     /* of traces, commas between them; "": all */
    uint8_t agents[INF_JUDGE_AGENTS_MAX][16];
    size_t agent_count; /* 0: all */
    bool texts;
    int timeout_ms;
    int percent;
    int64_t per_minute;
    int64_t day_calls; /* 0: any number */
    int64_t day_nano;  /* US-dollars; 0: any */
    int64_t queue;
} inf_judge_settings;

/* 1: there is to be a judge; 0: none is asked for; INF_EINVAL and in `message` (`size` bytes) what is wrong and what to
 * do. The key never is in a message. */
int inf_judge_settings_read(inf_judge_settings *out, const inf_serve_options *options, char *message, size_t size);

/* The same without a look at a file: whether the settings fit together. */
int inf_judge_settings_check(const inf_serve_options *options, char *message, size_t size);

/* Is this trace to be judged? Its share is drawn from its id, so that asking twice gives one answer. */
bool inf_judge_wants(const inf_judge_settings *settings, const inf_summary *trace);

/* Replaces the key, wherever it is in `text`, by stars; also its beginning, where the text ends in it. */
void inf_judge_hide_key(const inf_judge_settings *settings, char *text);

#endif
