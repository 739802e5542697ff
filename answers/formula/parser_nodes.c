// What the parser works with: the current token, and nodes of the tree.
#include "answers/formula/parser.h"
#include <string.h>

bool at_command(const Parser *p, const char *name)
{
    return token(p)->kind == LEX_COMMAND && text_is(token(p)->span, name);
}

bool take_sign(Parser *p, char sign)
{
    bool there = at_sign(p, sign);
    p->at += there;
    return there;
}

bool take_command(Parser *p, const char *name)
{
    bool there = at_command(p, name);
    p->at += there;
    return there;
}

bool take_name(Parser *p, const char *name)
{
    bool there = token(p)->kind == LEX_NAME && text_is(token(p)->span, name);
    p->at += there;
    return there;
}

bool one_of(Text s, const char *const *names)
{
    for (; *names != NULL; names++)
        if (text_is(s, *names))
            return true;
    return false;
}

Node *formula_node(Formula *f, NodeKind kind)
{
    if (f->node_count == NODES_MOST)
        return NULL;
    Node *n = &f->nodes[f->node_count++];
    *n = (Node){.kind = kind};
    return n;
}

void node_append(Node *parent, Node *child)
{
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

Node *node_of(Parser *p, NodeKind kind, Node *a, Node *b)
{
    Node *n = a == NULL ? NULL : formula_node(p->f, kind);
    if (n == NULL)
        return NULL;
    node_append(n, a);
    if (b != NULL)
        node_append(n, b);
    return n;
}

// appends b to a where a is of that kind already and not in its own brackets
Node *joined(Parser *p, NodeKind kind, Node *a, Node *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    if (a->kind != kind || a->close != 0)
        return node_of(p, kind, a, b);
    node_append(a, b);
    return a;
}

Node *named(Parser *p, NodeKind kind, Text name)
{
    Node *n = formula_node(p->f, kind);
    if (n != NULL)
        n->name = name;
    return n;
}

Node *in_depth(Parser *p, Node *(*part)(Parser *))
{
    if (p->depth == DEPTH_MOST)
        return NULL;
    p->depth++;
    Node *n = part(p);
    p->depth--;
    return n;
}
