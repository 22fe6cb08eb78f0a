/* Turning a request's answer into the server library's. Private to receiver/http/. */
#ifndef INF_HTTP_ANSWER_H
#define INF_HTTP_ANSWER_H

#include "http/request.h"

enum MHD_Result inf_answer_queue(inf_request *request);

#endif
