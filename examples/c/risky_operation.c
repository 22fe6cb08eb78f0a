/* A function that fails: inf_error() puts type, message and backtrace into its trace, which is sent all the same; the
 * caller gets what it always got. */
#include "program.h"

static inf_client *client;

static INF_TRACED(client, "Risky Operation (C)", int, do_something)
{
    inf_error("ValueError", "something went wrong");
    return -1;
}

int main(void)
{
    client = program_open("risky_operation");
    if (!client)
        return 1;
    int result = do_something();
    printf("caught: %d\n", result);
    return program_close("risky_operation", client, result != -1);
}
