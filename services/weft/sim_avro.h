//  sim_avro.h - tables of fields to Avro: schema and bytes from one list.
//
//  A record is a C struct whose members a .def file lists once, FIELD (kind,
//  name). Null is NaN, NULL, the smallest whole number, or SIM_NULL_bool. No
//  state; any thread.

#ifndef WEFT_SIM_AVRO_H_INCLUDED
#define WEFT_SIM_AVRO_H_INCLUDED

#include <math.h>

#include "weft_buf.h"

#define SIM_NULL_i32 INT32_MIN
#define SIM_NULL_i64 INT64_MIN
#define SIM_NULL_bool 2

typedef double sim_f64_t, sim_of64_t;
typedef float sim_f32_t, sim_of32_t;
typedef int32_t sim_i32_t, sim_oi32_t;
typedef int64_t sim_i64_t, sim_oi64_t;
typedef const char *sim_str_t, *sim_ostr_t;  //  borrowed
typedef uint8_t sim_ob_t;                    //  false, true, SIM_NULL_bool

typedef enum {
    SIM_KIND_f64,
    SIM_KIND_of64,
    SIM_KIND_f32,
    SIM_KIND_of32,
    SIM_KIND_i32,
    SIM_KIND_oi32,
    SIM_KIND_i64,
    SIM_KIND_oi64,
    SIM_KIND_str,
    SIM_KIND_ostr,
    SIM_KIND_ob,
} sim_kind_t;

typedef struct {
    const char *name;
    uint16_t offset;
    uint8_t kind;  //  sim_kind_t
} sim_avro_field_t;

//  Every nullable field becomes null, every other one 0 or "".
void sim_avro_clear (void *record, const sim_avro_field_t *fields, size_t n);

//  The fields as the inside of a schema's "fields", and any other text of it.
void
sim_avro_fields (weft_buf_t *out, const sim_avro_field_t *fields, size_t n);
void sim_avro_text (weft_buf_t *out, const char *text);

//  Values: a whole number, bytes with their length, a record.
void sim_avro_long (weft_buf_t *out, int64_t value);
void sim_avro_bytes (weft_buf_t *out, const void *data, size_t size);
void sim_avro_record (weft_buf_t *out,
                      const void *record,
                      const sim_avro_field_t *fields,
                      size_t n);

//  A nullable array of n records in one block; none is null, as surveys have it.
void sim_avro_rows (weft_buf_t *out,
                    const void *rows,
                    uint32_t n,
                    size_t stride,
                    const sim_avro_field_t *fields,
                    size_t n_fields);

#endif
