/* simdjson's document parser behind the C face of json_read.h. The only C++ file: nothing here throws, allocates
 * through `new` that throws, or lets an exception pass. */
#define SIMDJSON_EXCEPTIONS 0
#include "base/json_read.h"

#include <cmath>
#include <cstring>
#include <new>
#include <simdjson.h>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/json_number.h"
#include "base/json_write.h"
#include "infinium.h"

namespace dom = simdjson::dom;

struct inf_json {
    dom::parser parser;
    const char *reason = "nothing was parsed";
};

static_assert(sizeof(dom::element) <= sizeof(inf_json_value), "a value holds an element");
static_assert(std::is_trivially_copyable<dom::element>::value, "a value is copied as bytes");
static_assert(simdjson::SIMDJSON_PADDING <= INF_JSON_PADDING, "the padding suffices");

static dom::element element_of(inf_json_value value)
{
    dom::element element;
    memcpy(static_cast<void *>(&element), &value, sizeof(element));
    return element;
}

static inf_json_value value_of(dom::element element)
{
    inf_json_value value = {};
    memcpy(&value, static_cast<const void *>(&element), sizeof(element));
    return value;
}

static int error_of(simdjson::error_code code)
{
    switch (code) {
    case simdjson::SUCCESS:
        return INF_OK;
    case simdjson::MEMALLOC:
        return INF_ENOMEM;
    case simdjson::CAPACITY:
    case simdjson::DEPTH_ERROR:
        return INF_E2BIG;
    default:
        return INF_EBADMSG;
    }
}

static const char *reason_of(simdjson::error_code code)
{
    switch (code) {
    case simdjson::SUCCESS:
        return "no error";
    case simdjson::MEMALLOC:
        return "out of memory";
    case simdjson::CAPACITY:
        return "the document is too large";
    case simdjson::DEPTH_ERROR:
        return "arrays and objects are nested too deeply";
    case simdjson::UTF8_ERROR:
        return "not valid UTF-8";
    case simdjson::STRING_ERROR:
        return "a string is malformed";
    case simdjson::UNCLOSED_STRING:
        return "a string is not closed";
    case simdjson::UNESCAPED_CHARS:
        return "a string holds a control character that is not escaped";
    case simdjson::NUMBER_ERROR:
        return "a number is malformed or out of range";
    case simdjson::EMPTY:
        return "the document is empty";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
        return "a word is neither true, false nor null";
    default:
        return "not valid JSON";
    }
}

static simdjson::error_code parse_once(inf_json *parser, const void *text, size_t length, size_t depth, bool copy,
                                       inf_json_value *root)
{
    simdjson::error_code code = simdjson::SUCCESS;
    if (length == 0) /* `text` may be NULL, which simdjson would copy from */
        return simdjson::EMPTY;
    if (parser->parser.capacity() < length || parser->parser.max_depth() != depth || parser->parser.capacity() == 0)
        code = parser->parser.allocate(length < 4096 ? 4096 : length, depth);
    if (code == simdjson::SUCCESS) {
        dom::element element;
        code = parser->parser.parse(static_cast<const uint8_t *>(text), length, copy).get(element);
        if (code == simdjson::SUCCESS)
            *root = value_of(element);
    }
    return code;
}

/* simdjson refuses a document for one number that is too large. Such numbers are read as strings. */
static simdjson::error_code parse_large_numbers(inf_json *parser, const void *text, size_t length, size_t depth,
                                                inf_json_value *root)
{
    simdjson::error_code code = simdjson::NUMBER_ERROR;
    inf_buf quoted;
    inf_buf_init(&quoted, 2 * length + INF_JSON_PADDING);
    size_t count = inf_json_quote_numbers(&quoted, text, length);
    if (inf_buf_reserve(&quoted, INF_JSON_PADDING) != 0)
        code = quoted.error == INF_ENOMEM ? simdjson::MEMALLOC : simdjson::CAPACITY;
    else if (count > 0)
        code = parse_once(parser, quoted.data, quoted.length, depth, false, root);
    inf_buf_free(&quoted);
    return code;
}

static int parse(inf_json *parser, const void *text, size_t length, unsigned max_depth, bool copy, inf_json_value *root)
{
    if (max_depth == 0)
        max_depth = INF_JSON_DEPTH;
    if (length > INT32_MAX) {
        parser->reason = reason_of(simdjson::CAPACITY);
        return INF_E2BIG;
    }
    /* simdjson counts the document itself as one level, and does not count an empty array or object. */
    size_t depth = static_cast<size_t>(max_depth) + 1;
    simdjson::error_code code = parse_once(parser, text, length, depth, copy, root);
    if (code == simdjson::NUMBER_ERROR)
        code = parse_large_numbers(parser, text, length, depth, root);
    parser->reason = reason_of(code);
    return error_of(code);
}

extern "C" {

inf_json *inf_json_new(void)
{
    return new (std::nothrow) inf_json;
}

void inf_json_free(inf_json *parser)
{
    delete parser;
}

int inf_json_parse(inf_json *parser, const void *text, size_t length, unsigned max_depth, inf_json_value *root)
{
    return parse(parser, text, length, max_depth, true, root);
}

int inf_json_parse_padded(inf_json *parser, const void *text, size_t length, unsigned max_depth, inf_json_value *root)
{
    return parse(parser, text, length, max_depth, false, root);
}

const char *inf_json_error(const inf_json *parser)
{
    return parser->reason;
}

enum inf_json_type inf_json_type(inf_json_value value)
{
    switch (element_of(value).type()) {
    case dom::element_type::ARRAY:
        return INF_JSON_ARRAY;
    case dom::element_type::OBJECT:
        return INF_JSON_OBJECT;
    case dom::element_type::INT64:
        return INF_JSON_INT;
    case dom::element_type::UINT64:
        return INF_JSON_UINT;
    case dom::element_type::DOUBLE:
        return INF_JSON_DOUBLE;
    case dom::element_type::STRING:
        return INF_JSON_STRING;
    case dom::element_type::BOOL:
        return INF_JSON_BOOL;
    default:
        return INF_JSON_NULL;
    }
}

bool inf_json_as_string(inf_json_value value, const char **text, size_t *length)
{
    std::string_view view;
    if (element_of(value).get_string().get(view) != simdjson::SUCCESS)
        return false;
    *text = view.data();
    *length = view.size();
    return true;
}

bool inf_json_as_i64(inf_json_value value, int64_t *out)
{
    dom::element element = element_of(value);
    if (element.get_int64().get(*out) == simdjson::SUCCESS)
        return true;
    double number;
    if (element.type() != dom::element_type::DOUBLE || element.get_double().get(number) != simdjson::SUCCESS ||
        !(std::fabs(number) <= 9007199254740992.0) || number != std::trunc(number))
        return false;
    *out = static_cast<int64_t>(number);
    return true;
}

bool inf_json_as_double(inf_json_value value, double *out)
{
    return element_of(value).get_double().get(*out) == simdjson::SUCCESS;
}

bool inf_json_as_bool(inf_json_value value, bool *out)
{
    return element_of(value).get_bool().get(*out) == simdjson::SUCCESS;
}

bool inf_json_get(inf_json_value object, const char *key, inf_json_value *out)
{
    dom::object members;
    dom::element found;
    if (element_of(object).get_object().get(members) != simdjson::SUCCESS ||
        members.at_key(std::string_view(key)).get(found) != simdjson::SUCCESS)
        return false;
    *out = value_of(found);
    return true;
}

bool inf_json_get_string(inf_json_value object, const char *key, const char **text, size_t *length)
{
    inf_json_value value;
    return inf_json_get(object, key, &value) && inf_json_as_string(value, text, length);
}

bool inf_json_get_i64(inf_json_value object, const char *key, int64_t *out)
{
    inf_json_value value;
    return inf_json_get(object, key, &value) && inf_json_as_i64(value, out);
}

bool inf_json_get_double(inf_json_value object, const char *key, double *out)
{
    inf_json_value value;
    return inf_json_get(object, key, &value) && inf_json_as_double(value, out);
}

bool inf_json_get_bool(inf_json_value object, const char *key, bool *out)
{
    inf_json_value value;
    return inf_json_get(object, key, &value) && inf_json_as_bool(value, out);
}

size_t inf_json_size(inf_json_value value)
{
    dom::element element = element_of(value);
    dom::array array;
    dom::object object;
    if (element.get_array().get(array) == simdjson::SUCCESS)
        return array.size();
    if (element.get_object().get(object) == simdjson::SUCCESS)
        return object.size();
    return 0;
}

} // extern "C"

/* What hides in inf_json_iterator::opaque. */
namespace
{
enum walk_kind : uint64_t { NOTHING, ARRAY, OBJECT };

template <typename Iterator> struct walk {
    Iterator here;
    Iterator end;
};
static_assert(sizeof(walk<dom::array::iterator>) <= 4 * sizeof(uint64_t), "an iterator fits");
static_assert(sizeof(walk<dom::object::iterator>) <= 4 * sizeof(uint64_t), "an iterator fits");
static_assert(std::is_trivially_copyable<dom::array::iterator>::value, "an iterator is copied as bytes");
static_assert(std::is_trivially_copyable<dom::object::iterator>::value, "an iterator is copied as bytes");

template <typename Walk> Walk load_walk(const inf_json_iterator *iterator)
{
    Walk w;
    memcpy(static_cast<void *>(&w), iterator->opaque + 1, sizeof(w));
    return w;
}

template <typename Walk> void store_walk(inf_json_iterator *iterator, const Walk &w)
{
    memcpy(iterator->opaque + 1, static_cast<const void *>(&w), sizeof(w));
}

/* Where the walk stands; its end stays. */
template <typename Iterator> void store_here(inf_json_iterator *iterator, const Iterator &here)
{
    static_assert(offsetof(walk<Iterator>, here) == 0, "the place comes first");
    memcpy(iterator->opaque + 1, static_cast<const void *>(&here), sizeof(here));
}
} // namespace

extern "C" {

inf_json_iterator inf_json_iterate(inf_json_value value)
{
    inf_json_iterator iterator = {};
    dom::element element = element_of(value);
    dom::array array;
    dom::object object;
    if (element.get_array().get(array) == simdjson::SUCCESS) {
        iterator.opaque[0] = ARRAY;
        store_walk(&iterator, walk<dom::array::iterator>{array.begin(), array.end()});
    } else if (element.get_object().get(object) == simdjson::SUCCESS) {
        iterator.opaque[0] = OBJECT;
        store_walk(&iterator, walk<dom::object::iterator>{object.begin(), object.end()});
    }
    return iterator;
}

bool inf_json_next(inf_json_iterator *iterator)
{
    if (iterator->opaque[0] == ARRAY) {
        auto w = load_walk<walk<dom::array::iterator>>(iterator);
        if (!(w.here != w.end))
            return false;
        iterator->value = value_of(*w.here);
        ++w.here;
        store_here(iterator, w.here);
        return true;
    }
    if (iterator->opaque[0] == OBJECT) {
        auto w = load_walk<walk<dom::object::iterator>>(iterator);
        if (!(w.here != w.end))
            return false;
        std::string_view key = w.here.key();
        iterator->key = key.data();
        iterator->key_length = key.size();
        iterator->value = value_of(w.here.value());
        ++w.here;
        store_here(iterator, w.here);
        return true;
    }
    return false;
}

} // extern "C"

/* What an element of a type just asked for holds. */
template <typename T> static T known(simdjson::simdjson_result<T> &&result)
{
    T value{};
    return std::move(result).get(value) == simdjson::SUCCESS ? value : T{};
}

/* As deep as the parse allowed, so the recursion is bounded. */
static void write_value(inf_json_writer *w, inf_json_value value)
{
    dom::element element = element_of(value);
    switch (element.type()) {
    case dom::element_type::ARRAY: {
        inf_json_begin_array(w);
        inf_json_iterator i = inf_json_iterate(value);
        while (inf_json_next(&i) && !w->out->error)
            write_value(w, i.value);
        inf_json_end_array(w);
        break;
    }
    case dom::element_type::OBJECT: {
        inf_json_begin_object(w);
        inf_json_iterator i = inf_json_iterate(value);
        while (inf_json_next(&i) && !w->out->error) {
            inf_json_key_n(w, i.key, i.key_length);
            write_value(w, i.value);
        }
        inf_json_end_object(w);
        break;
    }
    case dom::element_type::INT64:
        inf_json_put_i64(w, known(element.get_int64()));
        break;
    case dom::element_type::UINT64:
        inf_json_put_u64(w, known(element.get_uint64()));
        break;
    case dom::element_type::DOUBLE:
        inf_json_put_double(w, known(element.get_double()));
        break;
    case dom::element_type::STRING: {
        std::string_view text = known(element.get_string());
        inf_json_put_string(w, text.data(), text.size());
        break;
    }
    case dom::element_type::BOOL:
        inf_json_put_bool(w, known(element.get_bool()));
        break;
    default:
        inf_json_put_null(w);
    }
}

extern "C" void inf_json_write(inf_json_value value, inf_buf *out)
{
    inf_json_writer w = inf_json_writer_on(out);
    write_value(&w, value);
}
