//  weft_tls.c - OpenSSL, for weft_redis_wire.c.

#include "weft_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct weft_tls {
    SSL_CTX *context;
};

struct weft_tls_link {
    SSL *ssl;
};

//  What OpenSSL said last, and forgets it.
static void
explain (const char *what, char *why, size_t room)
{
    const char *reason = ERR_reason_error_string (ERR_peek_last_error ());
    snprintf (why, room, "%s: %s", what,
              reason ? reason : "the other end hung up or was late");
    ERR_clear_error ();
}

static bool
given (const char *text)
{
    return text && *text;
}

static int
fill (SSL_CTX *context,
      const char *ca,
      const char *certificate,
      const char *key,
      char *why,
      size_t room)
{
    SSL_CTX_set_verify (context, SSL_VERIFY_PEER, NULL);
    const char *wrong = NULL;
    if (SSL_CTX_set_min_proto_version (context, TLS1_2_VERSION) != 1)
        wrong = "TLS 1.2";
    else if (given (ca) &&
             SSL_CTX_load_verify_locations (context, ca, NULL) != 1)
        wrong = ca;
    else if (!given (ca) && SSL_CTX_set_default_verify_paths (context) != 1)
        wrong = "the system's authorities";
    else if (given (certificate) &&
             SSL_CTX_use_certificate_chain_file (context, certificate) != 1)
        wrong = certificate;
    else if (given (key) &&
             SSL_CTX_use_PrivateKey_file (context, key, SSL_FILETYPE_PEM) != 1)
        wrong = key;
    if (wrong)
        explain (wrong, why, room);
    return wrong ? WEFT_ECONFIG : 0;
}

weft_tls_t *
weft_tls_new (const char *ca,
              const char *certificate,
              const char *key,
              char *why,
              size_t room)
{
    snprintf (why, room, "out of memory");
    weft_tls_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->context = SSL_CTX_new (TLS_client_method ());
    if (!self->context ||
        fill (self->context, ca, certificate, key, why, room) != 0)
        weft_tls_destroy (&self);
    return self;
}

void
weft_tls_destroy (weft_tls_t **self_p)
{
    if (!*self_p)
        return;
    SSL_CTX_free ((*self_p)->context);
    free (*self_p);
    *self_p = NULL;
}

//  An address must be in the certificate as an address, a name as a name.
static bool
expect_host (SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc (SSL_get0_param (ssl), host) == 1)
        return true;
    ERR_clear_error ();
    return SSL_set1_host (ssl, host) == 1 &&
           SSL_set_tlsext_host_name (ssl, host) == 1;
}

static void
explain_handshake (SSL *ssl, const char *host, char *why, size_t room)
{
    char what[320];
    long verdict = SSL_get_verify_result (ssl);
    snprintf (what, sizeof what, "TLS with %.200s: %.80s", host,
              verdict == X509_V_OK ? "no handshake"
                                   : X509_verify_cert_error_string (verdict));
    explain (what, why, room);
}

weft_tls_link_t *
weft_tls_link_new (
    weft_tls_t *tls, int fd, const char *host, char *why, size_t room)
{
    snprintf (why, room, "out of memory");
    weft_tls_link_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->ssl = SSL_new (tls->context);
    bool ready = self->ssl && SSL_set_fd (self->ssl, fd) == 1 &&
                 expect_host (self->ssl, host);
    if (ready && SSL_connect (self->ssl) == 1)
        return self;
    if (ready)
        explain_handshake (self->ssl, host, why, room);
    weft_tls_link_destroy (&self);
    return NULL;
}

//  Without a goodbye: it could only wait for an end that is gone.
void
weft_tls_link_destroy (weft_tls_link_t **self_p)
{
    if (!*self_p)
        return;
    SSL_free ((*self_p)->ssl);
    free (*self_p);
    *self_p = NULL;
}

//  The socket has a time-out of its own: wanting more is being late.
static int
judge (SSL *ssl, int done)
{
    int error = SSL_get_error (ssl, done);
    ERR_clear_error ();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
               ? WEFT_EDOWN
               : WEFT_EIO;
}

int
weft_tls_send (weft_tls_link_t *self, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        size_t sent = 0;
        int done = SSL_write_ex (self->ssl, at, size, &sent);
        if (done != 1)
            return judge (self->ssl, done);
        at += sent;
        size -= sent;
    }
    return 0;
}

int
weft_tls_read (weft_tls_link_t *self, void *data, size_t room, size_t *n)
{
    int done = SSL_read_ex (self->ssl, data, room, n);
    return done == 1 ? 0 : judge (self->ssl, done);
}
