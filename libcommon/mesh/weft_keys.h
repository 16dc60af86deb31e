//  weft_keys.h - the CURVE keys of one service, and who may be which stage.
//
//  A folder has NAME.secret (one line: the secret key of that service, for
//  nobody else to read) and `allow` (lines "public-key stage"; "*" is any
//  stage; "#" begins a comment). Keys are Z85 text of 40 characters. Several
//  keys of one stage stand side by side while they are rotated, the newest
//  first. What is loaded never changes: a reload makes another one. References
//  may be held by any thread.

#ifndef WEFT_KEYS_H_INCLUDED
#define WEFT_KEYS_H_INCLUDED

#include "weft_base.h"

enum { WEFT_KEY_ROOM = 41, WEFT_KEYS_MOST = 1024 };

typedef struct weft_keys weft_keys_t;

//  Returns new: what `folder` holds for the service `name`, or NULL with `why`:
//  which file, what is wrong with it, what to do. Refused are a secret that
//  everybody may read, and one whose public key is not in `allow`.
WEFT_NEW weft_keys_t *
weft_keys_load (const char *folder, const char *name, char *why, size_t room);

//  Returns new: one more reference.
WEFT_NEW weft_keys_t *weft_keys_ref (weft_keys_t *self);

//  Drops a reference and sets *self_p to NULL; the last one wipes the secret.
void weft_keys_unref (weft_keys_t **self_p);

//  The service's own pair, borrowed for life.
const char *weft_keys_public (const weft_keys_t *self);
const char *weft_keys_secret (const weft_keys_t *self);

//  Is this public key in `allow` at all? NULL is not.
bool weft_keys_know (const weft_keys_t *self, const char *key);

//  May who has this key be `stage`? `text` need not end with 0.
bool weft_keys_may (const weft_keys_t *self,
                    const char *key,
                    const char *text,
                    size_t size);

//  The stage that `allow` gives to a key, the first one; "-": none. Borrows.
const char *weft_keys_stage (const weft_keys_t *self, const char *key);

//  The keys that an upstream of this stage may have, by number from 0, in the
//  order of `allow`, those of "*" last; NULL after the last one. Borrows.
const char *
weft_keys_of (const weft_keys_t *self, const char *stage, size_t number);

//  Has `next` no line for something that `self` allows?
bool weft_keys_lost (const weft_keys_t *self, const weft_keys_t *next);

//  A new pair; WEFT_EIO if this libzmq has no CURVE.
WEFT_CHECK int weft_keys_make (char public_key[WEFT_KEY_ROOM],
                               char secret_key[WEFT_KEY_ROOM]);

//  The public key of a secret one; WEFT_EMALFORMED if it is none.
WEFT_CHECK int weft_keys_derive (const char *secret_key,
                                 char public_key[WEFT_KEY_ROOM]);

#endif
