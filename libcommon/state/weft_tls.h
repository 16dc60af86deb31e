//  weft_tls.h - TLS to Redis: hiredis 0.14 (Debian 12) has none.
//
//  OpenSSL on a socket that hiredis has connected. Whose certificate the other
//  end has is always checked: its authority, and that it is of the host that
//  was asked for. TLS 1.2 or later. Private to the connection; same thread.

#ifndef WEFT_TLS_H_INCLUDED
#define WEFT_TLS_H_INCLUDED

#include "weft_base.h"

typedef struct weft_tls weft_tls_t;            //  whom to trust, who we are
typedef struct weft_tls_link weft_tls_link_t;  //  one connection

//  Returns new: `ca` is a file of authorities (NULL or "": the system's),
//  `certificate` and `key` are ours (NULL or "": none). All in PEM. NULL with
//  `why` if a file cannot be used.
WEFT_NEW weft_tls_t *weft_tls_new (const char *ca,
                                   const char *certificate,
                                   const char *key,
                                   char *why,
                                   size_t room);
void weft_tls_destroy (weft_tls_t **self_p);

//  Returns new: shakes hands on a blocking socket, which stays the caller's and
//  must live longer; its time-outs limit each step. Borrows `tls` for life. NULL
//  with `why` if the other end cannot be trusted or does not speak TLS.
WEFT_NEW weft_tls_link_t *weft_tls_link_new (
    weft_tls_t *tls, int fd, const char *host, char *why, size_t room);
void weft_tls_link_destroy (weft_tls_link_t **self_p);

//  Sends all. WEFT_EDOWN: not in time; WEFT_EIO: the connection is lost.
WEFT_CHECK int
weft_tls_send (weft_tls_link_t *self, const void *data, size_t size);

//  Reads what there is, at least a byte, at most `room`: *n. Errors as above.
WEFT_CHECK int
weft_tls_read (weft_tls_link_t *self, void *data, size_t room, size_t *n);

#endif
