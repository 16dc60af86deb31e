//  examples.h - feature vectors with their classes, as files.
//
//  CSV: object ("survey:object_id"), alert_id, class, then one column a feature
//  in the set's order; empty where a value is not defined. Floats have nine
//  digits, so they come back as they were. One thread.

#ifndef EXAMPLES_H_INCLUDED
#define EXAMPLES_H_INCLUDED

#include "weft_features.h"

#define EXAMPLES_WHY 600
#define EXAMPLES_MOST (1u << 30)  //  bytes of a file

typedef struct examples_writer examples_writer_t;

//  Returns new: DIR/base.csv and DIR/test.csv; NULL and `why` if they cannot
//  be made.
WEFT_NEW examples_writer_t *examples_writer_new (const char *dir,
                                                 const weft_feature_set_t *set,
                                                 char why[EXAMPLES_WHY]);

//  Writes one alert: into the test file if its object is held out.
WEFT_CHECK int examples_write (examples_writer_t *self,
                               const weft_alert_v1_t *alert,
                               const char *object_id,
                               const char *class,
                               const float *values);

//  Closes both files: WEFT_EIO if anything could not be written.
WEFT_CHECK int examples_writer_close (examples_writer_t **self_p);

typedef struct {
    weft_str_t object;  //  "survey:object_id"
    weft_str_t class;
    const float *values;
} example_t;

//  Reads a file of the given set and calls `each` with every row, until it
//  returns an error. `sha` becomes the SHA-256 of its bytes. `why` names the file
//  on an error, and the line if it could be read.
WEFT_CHECK int examples_read (const char *path,
                              const weft_feature_set_t *set,
                              int (*each) (void *arg, const example_t *example),
                              void *arg,
                              char sha[65],
                              char why[EXAMPLES_WHY]);

#endif
