/* Who may read: one-time log-in links, the page's sessions, and the tokens for scripts. */
#ifndef INF_AUTH_LOGIN_H
#define INF_AUTH_LOGIN_H

#include <stdbool.h>

#include "auth/access.h"
#include "auth/actor.h"
#include "store/store.h"

#define INF_LOGIN_S 3600  /* a link is good for */
#define INF_TOKEN_SIZE 65 /* 64 hexadecimal digits and a NUL */

/* Makes a token that opens the page once, within an hour: append it to "/login?token=". Works on the directory of a
 * running receiver, from any process. */
int inf_login_create(inf_store *store, char token[INF_TOKEN_SIZE]);
/* The same for somebody who may less, or whose link is a key's. */
int inf_login_create_for(inf_store *store, const inf_token_grant *grant, char token[INF_TOKEN_SIZE]);

/* Uses up a log-in token: 1 and a new session's token (7 days), 0 when it is unknown, used or expired. */
int inf_login_redeem(inf_store *store, const char *token, char session[INF_TOKEN_SIZE]);

/* All links and sessions end. How many; or a negative error of the store. */
int inf_login_end_all(inf_store *store, const inf_actor *actor);

/* 1 when `session` is a session that has not expired, 0 when not. */
int inf_session_check(inf_store *store, const char *session, inf_token_grant *grant);

/* The session is over. Unknown ones are no error. */
int inf_session_end(inf_store *store, const char *session);

/* The tokens of the data directory for its owner's scripts, kept in DIR/read.token and DIR/admin.token (0600): one
 * reads everything, the other one administers. Made when missing. INF_EIO. */
int inf_read_token(const char *dir, char token[INF_TOKEN_SIZE]);
int inf_admin_token(const char *dir, char token[INF_TOKEN_SIZE]);

#endif
