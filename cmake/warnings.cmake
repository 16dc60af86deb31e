set (WEFT_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wvla
    -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef
    -Wno-sign-conversion)
# A cut snprintf is what its callers want.
if (CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list (APPEND WEFT_WARNINGS -Wno-format-truncation)
endif ()
if (WEFT_WERROR)
    list (APPEND WEFT_WARNINGS -Werror)
endif ()
