//  weft_contract_struct.h - turns one .def file into a struct and an enum.
//
//  No include guard: weft_contracts.h includes it once per contract, with
//  WEFT_CONTRACT, its name and its file set. With WEFT_CONTRACT_TABLES it makes
//  the table instead (weft_contracts.c does that). No state, any thread.

#define WEFT_PASTE3(a, b, c) a##b##c
#define WEFT_JOIN3(a, b, c) WEFT_PASTE3 (a, b, c)
#define WEFT_STRUCT WEFT_JOIN3 (weft_, WEFT_CONTRACT, _t)
#define WEFT_FIELD_ID(key) WEFT_JOIN3 (WEFT_, WEFT_CONTRACT, _##key)

#ifndef WEFT_CONTRACT_TABLES

#define FIELD(key, ctype, kind, unit, meaning) ctype key;
#define CORE(key, ctype, kind, unit, meaning) ctype key;
#define RECORD(key, ctype, contract, meaning) ctype key;
#define RECORDS(key, ctype, contract, most, meaning)                           \
    ctype key[most];                                                           \
    uint32_t n_##key;
#define COLUMNS(key, ctype, contract, meaning) ctype key;
typedef struct {
    uint64_t has[WEFT_HAS_WORDS];  //  one bit a field, in the file's order
#include WEFT_CONTRACT_FILE
} WEFT_STRUCT;
#undef FIELD
#undef CORE
#undef RECORD
#undef RECORDS
#undef COLUMNS

#define FIELD(key, ctype, kind, unit, meaning) WEFT_FIELD_ID (key),
#define CORE(key, ctype, kind, unit, meaning) WEFT_FIELD_ID (key),
#define RECORD(key, ctype, contract, meaning) WEFT_FIELD_ID (key),
#define RECORDS(key, ctype, contract, most, meaning) WEFT_FIELD_ID (key),
#define COLUMNS(key, ctype, contract, meaning) WEFT_FIELD_ID (key),
enum {
#include WEFT_CONTRACT_FILE
    WEFT_JOIN3 (WEFT_, WEFT_CONTRACT, _fields)
};

extern const weft_contract_t WEFT_JOIN3 (weft_, WEFT_CONTRACT, );

#else

#define ROW(key, is_core, code, most, count, contract, unit, meaning)          \
    { #key,  sizeof (#key) - 1,                                                \
      code,  is_core,                                                          \
      most,  offsetof (WEFT_STRUCT, key),                                      \
      count, contract,                                                         \
      unit,  meaning },
#define FIELD(key, ctype, kind, unit, meaning)                                 \
    ROW (key, false, WEFT_KIND_##kind, 0, 0, NULL, unit, meaning)
#define CORE(key, ctype, kind, unit, meaning)                                  \
    ROW (key, true, WEFT_KIND_##kind, 0, 0, NULL, unit, meaning)
#define RECORD(key, ctype, contract, meaning)                                  \
    ROW (key, false, WEFT_KIND_record, 1, 0, &weft_##contract, "", meaning)
#define RECORDS(key, ctype, contract, most, meaning)                           \
    ROW (key, false, WEFT_KIND_records, most, offsetof (WEFT_STRUCT, n_##key), \
         &weft_##contract, "", meaning)
#define COLUMNS(key, ctype, contract, meaning)                                 \
    ROW (key, false, WEFT_KIND_columns, 1, 0, &weft_##contract, "", meaning)
static const weft_field_t WEFT_JOIN3 (fields_of_, WEFT_CONTRACT, )[] = {
#include WEFT_CONTRACT_FILE
};
_Static_assert(WEFT_COUNT (WEFT_JOIN3 (fields_of_, WEFT_CONTRACT, )) <=
                   WEFT_HAS_WORDS * 64,
               "a contract has more fields than presence bits");
const weft_contract_t WEFT_JOIN3 (weft_, WEFT_CONTRACT, ) = {
    WEFT_CONTRACT_NAME, WEFT_JOIN3 (fields_of_, WEFT_CONTRACT, ),
    WEFT_COUNT (WEFT_JOIN3 (fields_of_, WEFT_CONTRACT, )), sizeof (WEFT_STRUCT)
};
#undef ROW

#endif

#undef FIELD
#undef CORE
#undef RECORD
#undef RECORDS
#undef COLUMNS
#undef WEFT_FIELD_ID
#undef WEFT_STRUCT
#undef WEFT_JOIN3
#undef WEFT_PASTE3
#undef WEFT_CONTRACT
#undef WEFT_CONTRACT_NAME
#undef WEFT_CONTRACT_FILE
