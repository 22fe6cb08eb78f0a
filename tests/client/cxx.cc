// The public header as C++17: it compiles without a warning, and a scope ends with its block.
#include "infinium.h"

extern "C" int trace_in_cxx(inf_client *client)
{
    for (int i = 0; i < 2; i++) {
        INF_TRACE(client, "from C++")
        {
            inf_input("%s", "text");
            if (i == 1)
                return inf_current() != nullptr;
        }
    }
    return 0;
}
