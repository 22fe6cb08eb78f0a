/* The numbers of a client as one line of text, for the log and for the receiver. */
#ifndef INF_SEND_COUNTS_H
#define INF_SEND_COUNTS_H

#include <stddef.h>

#include "infinium.h"

#define INF_COUNTS_SIZE 512

/* "begun=12; open=1; ...", every member of inf_counts in its order; returns the length without the NUL. */
size_t inf_counts_text(const inf_counts *counts, char out[INF_COUNTS_SIZE]);

#endif
