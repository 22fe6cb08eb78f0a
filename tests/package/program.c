/* A program of somebody else's: compiled as C and as C++ against the installed headers. */
#include <infinium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

INF_TRACED(NULL, "untraced", int, twice, (int, x))
{
    return 2 * x;
}

int main(void)
{
    inf_trace *t = inf_trace_begin(NULL, "installed");
    INF_STEP("step", "one step")
    {
        inf_step_output("%d", twice(21));
    }
    char *json = inf_trace_end_json(t, 0, NULL);
    int good = json && strstr(json, "\"output_preview\":\"42\"") != NULL;
    free(json);
    puts(good ? INF_VERSION : "wrong");
    return !good;
}
