//  survey_oracle.h - the oracle with a survey's own schema, and what its mapping
//  wants of it.

#ifndef SURVEY_ORACLE_H_INCLUDED
#define SURVEY_ORACLE_H_INCLUDED

#include "unit/avro_oracle.h"

#include "weft_survey.h"

//  False, and zeros, for a schema of no survey, or that one of the two cannot
//  read.
static bool
survey_oracle_init (oracle_t *self, const char *text, size_t size)
{
    char name[128], why[WEFT_AVRO_WHY];
    weft_avro_schema_peek_name (text, size, name, sizeof name);
    weft_avro_schema_t *schema = weft_avro_schema_new (text, size, why);
    const weft_survey_t *survey =
        schema ? weft_survey_find (name, weft_avro_schema_root (schema)) : NULL;
    weft_avro_schema_destroy (&schema);
    return survey && oracle_init_sized (self, text, size, survey->groups,
                                        survey->n_groups);
}

//  Twice: the second time with the shapes that the first has learnt. As
//  oracle_check, and ends the program where the two differ.
static int
survey_oracle_check (oracle_t *self, const uint8_t *data, size_t size)
{
    int first = oracle_check (self, data, size);
    size_t used = self->used;
    int again = first < 0 ? first : oracle_check (self, data, size);
    if (again < 0 || again != first || (again && self->used != used)) {
        fprintf (stderr, "differs: %s\n",
                 self->fault ? self->fault : "a second walk");
        abort ();
    }
    return again;
}

#endif
