/* The bounds of a trace, for those who write it and those who check it. Lengths in characters are code points; what is
 * longer is cut, never refused, unless a comment says so. */
#ifndef INF_MODEL_LIMITS_H
#define INF_MODEL_LIMITS_H

#define INF_LIMIT_NAME 500             /* characters; explicit sending refuses longer ones */
#define INF_LIMIT_DESCRIPTION 10000    /* characters; explicit sending refuses longer ones */
#define INF_LIMIT_INPUT 3000           /* characters of a trace's input_summary */
#define INF_LIMIT_OUTPUT 8000          /* characters of a trace's output_summary */
#define INF_LIMIT_STEP_PREVIEW 1500    /* characters of a step's or tool call's input and output */
#define INF_LIMIT_LLM_INPUT 500        /* characters of a watched call's input preview */
#define INF_LIMIT_LLM_OUTPUT 1500      /* characters of a watched call's output preview */
#define INF_LIMIT_ERROR_TYPE 200       /* characters */
#define INF_LIMIT_ERROR_MESSAGE 8000   /* characters */
#define INF_LIMIT_STACK_TRACE 16000    /* characters, of the end: the raise site is last */
#define INF_LIMIT_TAG 200              /* characters of one tag */
#define INF_LIMIT_RECORD (512u * 1024) /* bytes of one trace's fields; what goes past is counted in TRUNCATED */
#define INF_LIMIT_DEPTH 8              /* groups within groups */

#endif
