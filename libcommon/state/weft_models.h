//  weft_models.h - published classifiers, and which version is live.
//
//  `model:{name}:{version}` is a section in model.v1, written once, with a
//  number: 1 for the first that is published, each new one larger. Two pointers
//  to versions move: `candidate` (who offers, see docs/STATE.md) and `current`,
//  the live one, which moves by compare-and-set alone, to larger numbers, or
//  back by an operator's word. A counter moves with it, so that a promotion
//  that is issued again after somebody has gone back finds its moment past.
//  `refused` says which versions a classifier could not use, and why.
//  Same thread as the connection.

#ifndef WEFT_MODELS_H_INCLUDED
#define WEFT_MODELS_H_INCLUDED

#include "weft_buf.h"
#include "weft_redis.h"

#define WEFT_MODEL_MOST (64u << 20)  //  bytes of one section
#define WEFT_MODEL_VERSION_MOST 72   //  room for a version, terminated
#define WEFT_MODEL_REASON_MOST 256   //  room for a reason, terminated
#define WEFT_MODEL_PROMOTIONS 256    //  moves of `current` that are listed
#define WEFT_MODEL_KEPT 32           //  versions of a name
#define WEFT_MODEL_MOVES_KEPT 4      //  whose versions are kept in any case

//  Publishes a section in model.v1 under the name and version that it states.
//  Publishing it again changes nothing. The section's own checks apply:
//  WEFT_EVERSION, WEFT_EABSENT, WEFT_EMALFORMED, WEFT_ETOOBIG.
WEFT_CHECK int
weft_model_publish (weft_redis_t *redis, const void *section, size_t size);

//  For those who publish, in the same batch, behind it: of more than
//  WEFT_MODEL_KEPT versions the ones with the smallest numbers go, section and
//  row. Never the live one, the candidate, those that shadows are recorded of,
//  or those of the last WEFT_MODEL_MOVES_KEPT moves, to which a rollback goes.
void weft_model_retain (weft_batch_t *batch, weft_str_t name);

//  Where the pointers are. Versions are "" where there is none, numbers 0.
typedef struct {
    char live[WEFT_MODEL_VERSION_MOST];
    char candidate[WEFT_MODEL_VERSION_MOST];
    int64_t live_number, candidate_number;
    int64_t promotions;  //  how often `current` has moved
} weft_model_pointers_t;

//  All of them, read at one moment.
WEFT_CHECK int weft_model_pointers (weft_redis_t *redis,
                                    const char *name,
                                    weft_model_pointers_t *out);

//  Moves `current` to `version`, a newer one than `at` found live (any, if none
//  is). `who` is kept in the list of promotions. WEFT_EEXIST: it has moved
//  since; WEFT_ENOENT: that version is not published; WEFT_ERANGE: it is older
//  than the live one. Repeating it after success is a success.
WEFT_CHECK int weft_model_move (weft_redis_t *redis,
                                const char *name,
                                const weft_model_pointers_t *at,
                                const char *version,
                                const char *who);

//  The same for the version that is the candidate, WEFT_EEXIST if it is not any
//  more: for who acts by himself.
WEFT_CHECK int weft_model_move_candidate (weft_redis_t *redis,
                                          const char *name,
                                          const weft_model_pointers_t *at,
                                          const char *who);

//  The same to an older version (WEFT_ERANGE if it is not older). If the
//  version that was live is the candidate, there is none any more.
WEFT_CHECK int weft_model_move_back (weft_redis_t *redis,
                                     const char *name,
                                     const weft_model_pointers_t *at,
                                     const char *version,
                                     const char *who);

//  Moves `current` from `expected` (NULL: none is live) to a newer version:
//  weft_model_pointers and weft_model_move in one.
WEFT_CHECK int weft_model_promote (weft_redis_t *redis,
                                   const char *name,
                                   const char *expected,
                                   const char *version);

//  Calls `each` for the moves of `current` that are still listed, oldest first.
WEFT_CHECK int weft_model_promotions (weft_redis_t *redis,
                                      const char *name,
                                      void (*each) (void *arg,
                                                    int64_t count,
                                                    const char *version,
                                                    double at,
                                                    const char *who),
                                      void *arg);

//  The live version's name; WEFT_ENOENT if there is none.
WEFT_CHECK int weft_model_current (weft_redis_t *redis,
                                   const char *name,
                                   char version[WEFT_MODEL_VERSION_MOST]);

//  Fetches a version's section into `out` (cleared first). WEFT_ENOENT if it is
//  not published.
WEFT_CHECK int weft_model_get (weft_redis_t *redis,
                               const char *name,
                               const char *version,
                               weft_buf_t *out);

//  Says that a version cannot be used, and why (the last word stands); NULL:
//  it can.
WEFT_CHECK int weft_model_refuse (weft_redis_t *redis,
                                  const char *name,
                                  const char *version,
                                  const char *reason);

typedef struct {
    const char *version;
    int64_t number;     //  0: published before numbers were
    double created_at;  //  MJD TAI
    bool live, candidate;
    const char *refused;  //  why, NULL: it is not
} weft_model_row_t;

//  Calls `each` with every version, oldest publication first, and once more
//  for a pointer that names nothing published (number 0, created_at 0).
WEFT_CHECK int weft_model_list (weft_redis_t *redis,
                                const char *name,
                                void (*each) (void *arg,
                                              const weft_model_row_t *row),
                                void *arg);

//  Calls `each` with the name of every model that was ever published.
WEFT_CHECK int weft_model_names (weft_redis_t *redis,
                                 void (*each) (void *arg, const char *name),
                                 void *arg);

#endif
