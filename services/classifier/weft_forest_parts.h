//  weft_forest_parts.h - what a forest is made of, for its source files. A
//  forest is used by one thread at a time.

#ifndef WEFT_FOREST_PARTS_H_INCLUDED
#define WEFT_FOREST_PARTS_H_INCLUDED

#include "weft_buf.h"
#include "weft_forest.h"
#include "weft_ubj.h"

//  Twelve bytes. Siblings lie side by side: right is left + 1.
typedef struct {
    float cut;              //  left if value < cut; a leaf: its output
    uint16_t feature;       //  a leaf: 0
    uint8_t missing_right;  //  where NaN goes
    uint8_t inner;          //  0: a leaf, its own child
    uint32_t left;          //  place in the forest's array
} node_t;

typedef struct {
    uint32_t root;
    uint16_t depth;  //  steps to the deepest leaf
    uint16_t class;
} tree_t;

struct weft_forest {
    uint32_t inputs;
    uint32_t classes;
    float base[WEFT_FOREST_CLASSES];  //  where margins begin
    tree_t *trees;                    //  owned
    uint32_t n_trees;
    node_t *nodes;  //  owned
    uint32_t n_nodes;
};

//  Nodes and trees while they are read.
typedef struct {
    weft_buf_t nodes;  //  node_t
    weft_buf_t trees;  //  tree_t, their class still unknown
    uint32_t inputs;
} weft_forest_nodes_t;

//  Reads the tree at the cursor and appends it. On error `why` is a static
//  sentence.
WEFT_CHECK int weft_forest_take_tree (weft_forest_nodes_t *self,
                                      weft_ubj_t *in,
                                      const char **why);

#endif
