//  weft_contract.h - one encoder, decoder and printer for every contract.
//
//  A contract is a file proto/NAME.v1.def. weft_contracts.h turns each into a
//  C struct and a table of fields; what is here works from the table, so there
//  is one piece of code to trust and to fuzz.
//
//  On the wire a section is a msgpack map whose first pair is
//  "contract": NAME. A field that is absent is not in the map. Keys that the
//  table does not know are skipped. Any thread; nothing is shared.

#ifndef WEFT_CONTRACT_H_INCLUDED
#define WEFT_CONTRACT_H_INCLUDED

#include "weft_buf.h"
#include "weft_cursor.h"

struct json_t;  //  jansson's

//  A column of little-endian values, borrowed. `n` counts elements.
typedef struct {
    const uint8_t *p;
    uint32_t n;
} weft_col_t;

typedef enum {
    WEFT_KIND_u8,      //  unsigned numbers
    WEFT_KIND_u32,     //
    WEFT_KIND_u64,     //  a string in JSON
    WEFT_KIND_i32,     //  signed numbers
    WEFT_KIND_id,      //  int64_t, a string in JSON
    WEFT_KIND_f32,     //  floats; NaN is absent
    WEFT_KIND_f64,     //
    WEFT_KIND_str,     //  weft_str_t
    WEFT_KIND_bin,     //  weft_bin_t, hexadecimal in JSON
    WEFT_KIND_c_u8,    //  weft_col_t: one bin of little-endian values
    WEFT_KIND_c_kind,  //  of uint8_t, the letters D L F in JSON
    WEFT_KIND_c_u32,
    WEFT_KIND_c_id,  //  of int64_t, strings in JSON
    WEFT_KIND_c_f32,
    WEFT_KIND_c_f64,
    WEFT_KIND_record,   //  one map of another contract
    WEFT_KIND_records,  //  an array of such maps, count in n_KEY
    WEFT_KIND_columns,  //  a record of columns of one length; rows in JSON
} weft_kind_t;

typedef struct weft_contract weft_contract_t;

typedef struct {
    const char *key;
    uint8_t key_size;
    uint8_t kind;                //  weft_kind_t
    bool core;                   //  must be there
    uint8_t max;                 //  records: most elements
    uint32_t offset;             //  of the value in the struct
    uint32_t count_offset;       //  records: of n_KEY in the struct
    const weft_contract_t *sub;  //  record, records, columns
    const char *unit;
    const char *meaning;
} weft_field_t;

struct weft_contract {
    const char *name;  //  "alert.v1"
    const weft_field_t *fields;
    uint32_t n_fields;
    uint32_t size;  //  of the struct
};

#define WEFT_HAS_WORDS 2  //  presence bits of at most 128 fields

//  Makes every field absent: presence bits 0, floats NaN.
void weft_contract_clear (const weft_contract_t *self, void *record);

//  Appends the record as a section. WEFT_EABSENT if a core field is absent,
//  else the buffer's error. NaN floats count as absent.
WEFT_CHECK int weft_contract_encode (const weft_contract_t *self,
                                     const void *record,
                                     weft_buf_t *buf);

//  Reads a section into the struct (cleared first). Everything in it borrows
//  from `data` until that goes. WEFT_EVERSION if it is another contract,
//  WEFT_EABSENT without a core field, or the cursor's errors.
WEFT_CHECK int weft_contract_decode (const weft_contract_t *self,
                                     void *record,
                                     const void *data,
                                     size_t size);

//  The name that a section begins with; WEFT_EMALFORMED if it has none.
WEFT_CHECK int
weft_contract_name (const void *data, size_t size, weft_str_t *name);

//  Returns new: the record as a JSON object by the contract's names; 64-bit
//  numbers as strings, columns as a list of rows, NaN in rows as null.
WEFT_NEW struct json_t *weft_contract_json (const weft_contract_t *self,
                                            const void *record);

//  Writes the contract as a Markdown table.
void weft_contract_document (const weft_contract_t *self, FILE *out);

//  The contract of that name, NULL if there is none.
const weft_contract_t *weft_contract_find (const char *name);

//  All contracts, for documentation and tests; NULL beyond the last.
const weft_contract_t *weft_contract_at (size_t index);

static inline bool
weft_has_bit (const uint64_t *has, unsigned field)
{
    return has[field / 64] >> (field % 64) & 1;
}

static inline void
weft_set_bit (uint64_t *has, unsigned field)
{
    has[field / 64] |= UINT64_C (1) << (field % 64);
}

//  Elements of a column. The caller keeps i < n.
static inline uint8_t
weft_col_u8 (weft_col_t self, uint32_t i)
{
    return self.p[i];
}

static inline uint32_t
weft_col_u32 (weft_col_t self, uint32_t i)
{
    return weft_get_u32 (self.p + (size_t)4 * i);
}

static inline int64_t
weft_col_i64 (weft_col_t self, uint32_t i)
{
    return (int64_t)weft_get_u64 (self.p + (size_t)8 * i);
}

static inline float
weft_col_f32 (weft_col_t self, uint32_t i)
{
    return weft_get_f32 (self.p + (size_t)4 * i);
}

static inline double
weft_col_f64 (weft_col_t self, uint32_t i)
{
    return weft_get_f64 (self.p + (size_t)8 * i);
}

#endif
