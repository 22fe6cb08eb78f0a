/* See tls.h. Each handshake gets a copy of the certificate and key of its own, which GnuTLS frees: a reload frees
 * nothing that is in use. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/log.h"
#include "base/os.h"
#include "http/tls.h"
#include "infinium.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gnutls_certificate_credentials_t current; /* under the lock */

static int readable(const char *what, const char *path, char *message, size_t size)
{
    struct stat st;
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        snprintf(message, size, "the TLS %s %s cannot be read: %s", what, path, strerror(errno));
        return INF_EACCES;
    }
    if (inf_os.fstat(fd, &st) == 0 && strcmp(what, "key") == 0 && (st.st_mode & 077) != 0)
        inf_log(INF_LOG_WARNING, "the TLS key %s can be read by others than its owner (mode %03o)", path,
                (unsigned)st.st_mode & 0777);
    inf_os.close(fd);
    return 0;
}

int inf_tls_load(const char *certificate, const char *key, char *message, size_t size)
{
    gnutls_certificate_credentials_t fresh;
    int rc = readable("certificate", certificate, message, size);
    if (rc == 0)
        rc = readable("key", key, message, size);
    if (rc < 0)
        return rc;
    if (gnutls_certificate_allocate_credentials(&fresh) < 0)
        return INF_ENOMEM;
    rc = gnutls_certificate_set_x509_key_file2(fresh, certificate, key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0) {
        snprintf(message, size, "the TLS certificate %s and key %s are no pair in PEM: %s", certificate, key,
                 gnutls_strerror(rc));
        gnutls_certificate_free_credentials(fresh);
        return INF_EBADMSG;
    }
    pthread_mutex_lock(&lock);
    gnutls_certificate_credentials_t old = current;
    current = fresh;
    pthread_mutex_unlock(&lock);
    if (old)
        gnutls_certificate_free_credentials(old);
    return 0;
}

void inf_tls_unload(void)
{
    pthread_mutex_lock(&lock);
    if (current)
        gnutls_certificate_free_credentials(current);
    current = NULL;
    pthread_mutex_unlock(&lock);
}

/* Copies of the current pair. */
static int take(gnutls_x509_privkey_t *key, gnutls_x509_crt_t **certificates, unsigned *count)
{
    pthread_mutex_lock(&lock);
    int rc = current ? gnutls_certificate_get_x509_key(current, 0, key) : GNUTLS_E_NO_CERTIFICATE_FOUND;
    if (rc >= 0) {
        rc = gnutls_certificate_get_x509_crt(current, 0, certificates, count);
        if (rc < 0)
            gnutls_x509_privkey_deinit(*key);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **out,
                    unsigned *out_length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length, gnutls_privkey_t *out_key,
                    unsigned *flags)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t *certificates;
    unsigned count = 0;
    (void)session;
    (void)info;
    int rc = take(&key, &certificates, &count);
    if (rc < 0)
        return -1;
    *out = gnutls_malloc(count * sizeof **out);
    *out_length = 0;
    rc = *out ? 0 : GNUTLS_E_MEMORY_ERROR;
    for (unsigned i = 0; i < count; i++) {
        if (rc >= 0) {
            rc = gnutls_pcert_import_x509(&(*out)[i], certificates[i], 0);
            *out_length += rc >= 0;
        }
        gnutls_x509_crt_deinit(certificates[i]);
    }
    gnutls_free(certificates);
    gnutls_privkey_t made = NULL;
    if (rc >= 0)
        rc = gnutls_privkey_init(&made);
    if (rc >= 0)
        rc = gnutls_privkey_import_x509(made, key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
    if (rc < 0) {
        gnutls_x509_privkey_deinit(key);
        if (made)
            gnutls_privkey_deinit(made);
        for (unsigned i = 0; i < *out_length; i++)
            gnutls_pcert_deinit(&(*out)[i]);
        gnutls_free(*out);
        return -1;
    }
    *out_key = made;
    *ocsp = NULL;
    *ocsp_length = 0;
    *flags |= GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

inf_tls_callback_fn *inf_tls_callback(void)
{
    return (inf_tls_callback_fn *)retrieve;
}
