/* TLS for the HTTP library, with the user's certificate and key; both can be changed while it runs. The library's
 * callback has no context, so there is one pair a process. Private to receiver/. */
#ifndef INF_HTTP_TLS_H
#define INF_HTTP_TLS_H

#include <stddef.h>

/* What TLS may be: 1.2 and 1.3. */
#define INF_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Loads a certificate (PEM, with its chain) and its key (PEM) for all handshakes from now on. On failure the pair that
 * was there stays. 0, or INF_EACCES, INF_EBADMSG and why in `message`. Any thread. */
int inf_tls_load(const char *certificate, const char *key, char *message, size_t size);
/* Once no server uses it. */
void inf_tls_unload(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2; a gnutls_certificate_retrieve_function3. */
typedef void inf_tls_callback_fn(void);
inf_tls_callback_fn *inf_tls_callback(void);

#endif
