//  sim_record.h - the records of a packet as C structs, and their Avro.
//
//  sim_candidate.def, sim_prv.def and sim_fp.def list the survey's fields once;
//  structs, writer schema and encoder are made from them (sim_avro.h). One
//  thread at a time.

#ifndef WEFT_SIM_RECORD_H_INCLUDED
#define WEFT_SIM_RECORD_H_INCLUDED

#include "sim_avro.h"

//  The survey's order, not the compiler's: padding does not matter here.
#define FIELD(kind, name) sim_##kind##_t name;
//  NOLINTBEGIN(clang-analyzer-optin.performance.Padding)
typedef struct {
#include "sim_candidate.def"
} sim_candidate_t;
typedef struct {
#include "sim_prv.def"
} sim_prv_t;
typedef struct {
#include "sim_fp.def"
} sim_fp_t;
//  NOLINTEND(clang-analyzer-optin.performance.Padding)
#undef FIELD

typedef struct {
    const char *name;  //  of the file
    const uint8_t *data;
    size_t size;
} sim_stamp_t;

enum { SIM_SCIENCE, SIM_TEMPLATE, SIM_DIFFERENCE, SIM_N_STAMPS };

//  Ceiling of both histories: 30 nights of two exposures, and twins.
#define SIM_ROWS_MOST 160

typedef struct {
    const char *object_id;
    int64_t candid;
    sim_candidate_t candidate;
    sim_prv_t prv[SIM_ROWS_MOST];
    uint32_t n_prv;
    sim_fp_t fp[SIM_ROWS_MOST];
    uint32_t n_fp;
    sim_stamp_t stamps[SIM_N_STAMPS];  //  data NULL: null
} sim_record_t;

//  Every nullable field of a row becomes null, every other one 0.
void sim_prv_clear (sim_prv_t *row);

//  Writes the schema as JSON.
void sim_record_schema (weft_buf_t *out);

//  Writes an object container file of one record, codec null; `header` is
//  what sim_record_header wrote, `scratch` is cleared and used.
void sim_record_header (const char *schema, weft_buf_t *out);
void sim_record_encode (const sim_record_t *self,
                        const weft_buf_t *header,
                        weft_buf_t *scratch,
                        weft_buf_t *out);

#endif
