//  model.h - what the files of `weft model` share. One thread.

#ifndef MODEL_H_INCLUDED
#define MODEL_H_INCLUDED

#include "weft_models.h"

#define MODEL_NAMES_MOST 64
#define MODEL_PREFIX_LEAST 4  //  digits that name a version

//  One run of the command.
typedef struct {
    weft_redis_t *redis;
    const char *address;  //  of Redis; NULL: the default
    const char *expect;   //  promote: the version believed live
    bool json;
    weft_buf_t section;  //  of the version being looked at
} model_t;

struct json_t;

//  The versions of one name, or of all (NULL): a JSON list as `weft model ls
//  --json` prints it. Returns new in *out.
WEFT_CHECK int
model_rows (model_t *self, const char *name, struct json_t **out);

//  Finds the version that `text` means: "live", "candidate", a version or its
//  first digits. WEFT_ENOENT, after saying so, if there is none or several.
WEFT_CHECK int model_find (model_t *self,
                           const char *name,
                           const char *text,
                           char version[WEFT_MODEL_VERSION_MOST]);

//  Prints and returns the exit code.
int model_ls (model_t *self, int argc, char *argv[]);
int model_show (model_t *self, int argc, char *argv[]);
int model_compare (model_t *self, int argc, char *argv[]);

#endif
