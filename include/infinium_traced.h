/* INF_TRACED: a decorator for C. Included by infinium.h.
 *
 *   INF_TRACED(client, "Email Classifier", const char *, classify_email, (const char *, body), (int, limit))
 *   {
 *       ...
 *       return label;
 *   }
 *
 * defines `const char *classify_email(const char *body, int limit)`. Each call of it is one trace: the arguments, by
 * name, are its input, the result its output, inf_error() inside makes it an error. Write `static` in front for a
 * function of the file's own. Parameters: none to eight, each as (type, name); an array or a function pointer needs a
 * typedef. A function without a result: INF_TRACED_VOID(client, name, function, parameters...).
 *
 * Input and output are JSON text: strings, numbers and booleans as themselves, a pointer as its address, anything else
 * as its size. What is longer than 3,000 bytes of input or 8,000 of output is cut. `client` is evaluated at each call;
 * NULL calls the function untraced. In C++ an exception that leaves the function is the trace's error and goes on; a
 * longjmp() past the function leaves its trace open. The only names added to the program are the function's own and the
 * same with
 * `_inf_body_` behind it. C11 (_Generic) and C++ (overloads); GCC and Clang. */
#ifndef INFINIUM_TRACED_H
#define INFINIUM_TRACED_H

#ifdef __cplusplus
extern "C" {
#endif

/* How the bytes at an address are to be read. Private to the macros, as is everything that ends in an underscore. */
enum inf_kind_ {
    INF_KIND_OTHER_,
    INF_KIND_BOOL_,
    INF_KIND_CHAR_,
    INF_KIND_SIGNED_,
    INF_KIND_UNSIGNED_,
    INF_KIND_FLOATING_,
    INF_KIND_STRING_,
    INF_KIND_POINTER_
};

struct inf_traced_ {
    inf_trace *trace;
    char *to; /* where the text grows, in the trace's own buffer; NULL: nothing is captured */
    size_t used;
    size_t room;
    int values;
};

INF_API void inf_traced_begin_(struct inf_traced_ *call, inf_client *client, const char *name, const char *function);
INF_API void inf_traced_argument_(struct inf_traced_ *call, const char *name, enum inf_kind_ kind, const void *at,
                                  size_t size);
INF_API void inf_traced_run_(struct inf_traced_ *call);
INF_API void inf_traced_result_(struct inf_traced_ *call, enum inf_kind_ kind, const void *at, size_t size);
INF_API void inf_traced_end_(struct inf_traced_ *call);

#ifdef __cplusplus
}
#endif

#ifdef __cplusplus
#include <type_traits>

inline enum inf_kind_ inf_kind_of_(const bool &)
{
    return INF_KIND_BOOL_;
}
inline enum inf_kind_ inf_kind_of_(const char &)
{
    return INF_KIND_CHAR_;
}
inline enum inf_kind_ inf_kind_of_(const signed char &)
{
    return INF_KIND_SIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const short &)
{
    return INF_KIND_SIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const int &)
{
    return INF_KIND_SIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const long &)
{
    return INF_KIND_SIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const long long &)
{
    return INF_KIND_SIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const unsigned char &)
{
    return INF_KIND_UNSIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const unsigned short &)
{
    return INF_KIND_UNSIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const unsigned int &)
{
    return INF_KIND_UNSIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const unsigned long &)
{
    return INF_KIND_UNSIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const unsigned long long &)
{
    return INF_KIND_UNSIGNED_;
}
inline enum inf_kind_ inf_kind_of_(const float &)
{
    return INF_KIND_FLOATING_;
}
inline enum inf_kind_ inf_kind_of_(const double &)
{
    return INF_KIND_FLOATING_;
}
inline enum inf_kind_ inf_kind_of_(const long double &)
{
    return INF_KIND_FLOATING_;
}
inline enum inf_kind_ inf_kind_of_(char *const &)
{
    return INF_KIND_STRING_;
}
inline enum inf_kind_ inf_kind_of_(const char *const &)
{
    return INF_KIND_STRING_;
}
template <typename T> inline enum inf_kind_ inf_kind_of_(T *const &)
{
    return INF_KIND_POINTER_;
}
template <typename T> inline enum inf_kind_ inf_kind_of_(const T &)
{
    if constexpr (!std::is_enum_v<T>)
        return INF_KIND_OTHER_;
    else
        return std::is_signed_v<std::underlying_type_t<T>> ? INF_KIND_SIGNED_ : INF_KIND_UNSIGNED_;
}
#define INF_KIND_OF_(value) inf_kind_of_(value)

#if defined(__cpp_exceptions)
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>

/* In a handler: records what was thrown and throws it on. */
[[noreturn]] inline void inf_traced_thrown_(struct inf_traced_ *call)
{
    const std::type_info *type = abi::__cxa_current_exception_type();
    int status = -1;
    char *name = type ? abi::__cxa_demangle(type->name(), nullptr, nullptr, &status) : nullptr;
    try {
        throw;
    } catch (const std::exception &e) {
        inf_exception_(call->trace, nullptr, name ? name : "std::exception", e.what());
        std::free(name);
        throw;
    } catch (...) {
        inf_exception_(call->trace, nullptr, name ? name : "exception", nullptr);
        std::free(name);
        throw;
    }
}
#define INF_TRY_ try {
#define INF_CATCH_                                                                                                     \
    }                                                                                                                  \
    catch (...)                                                                                                        \
    {                                                                                                                  \
        inf_traced_thrown_(&inf_call_);                                                                                \
    }
#else
#define INF_TRY_
#define INF_CATCH_
#endif
#else
#define INF_TRY_
#define INF_CATCH_
/* What no other case names: 5 is GCC's and Clang's class of pointers. */
#define INF_KIND_OF_(value)                                                                                            \
    _Generic((value),                                                                                                  \
        _Bool: INF_KIND_BOOL_,                                                                                         \
        char: INF_KIND_CHAR_,                                                                                          \
        signed char: INF_KIND_SIGNED_,                                                                                 \
        short: INF_KIND_SIGNED_,                                                                                       \
        int: INF_KIND_SIGNED_,                                                                                         \
        long: INF_KIND_SIGNED_,                                                                                        \
        long long: INF_KIND_SIGNED_,                                                                                   \
        unsigned char: INF_KIND_UNSIGNED_,                                                                             \
        unsigned short: INF_KIND_UNSIGNED_,                                                                            \
        unsigned int: INF_KIND_UNSIGNED_,                                                                              \
        unsigned long: INF_KIND_UNSIGNED_,                                                                             \
        unsigned long long: INF_KIND_UNSIGNED_,                                                                        \
        float: INF_KIND_FLOATING_,                                                                                     \
        double: INF_KIND_FLOATING_,                                                                                    \
        long double: INF_KIND_FLOATING_,                                                                               \
        char *: INF_KIND_STRING_,                                                                                      \
        const char *: INF_KIND_STRING_,                                                                                \
        default: (__builtin_classify_type(value) == 5 ? INF_KIND_POINTER_ : INF_KIND_OTHER_))
#endif

#define INF_PARAMETER_(type, name) type name
#ifdef __cplusplus
#define INF_ARGUMENT_(type, name) static_cast<decltype(name) &&>(name) /* what can only be moved goes on too */
#else
#define INF_ARGUMENT_(type, name) name
#endif
/* The size is that of the type: an array as a parameter is a pointer, and sizeof of its name is warned of. */
#define INF_CAPTURE_(type, name)                                                                                       \
    inf_traced_argument_(&inf_call_, #name, INF_KIND_OF_(name), (const void *)&name, sizeof(__typeof__(name)));

#define INF_EACH_1_(m, s, a) m a
#define INF_EACH_2_(m, s, a, ...) m a s() INF_EACH_1_(m, s, __VA_ARGS__)
#define INF_EACH_3_(m, s, a, ...) m a s() INF_EACH_2_(m, s, __VA_ARGS__)
#define INF_EACH_4_(m, s, a, ...) m a s() INF_EACH_3_(m, s, __VA_ARGS__)
#define INF_EACH_5_(m, s, a, ...) m a s() INF_EACH_4_(m, s, __VA_ARGS__)
#define INF_EACH_6_(m, s, a, ...) m a s() INF_EACH_5_(m, s, __VA_ARGS__)
#define INF_EACH_7_(m, s, a, ...) m a s() INF_EACH_6_(m, s, __VA_ARGS__)
#define INF_EACH_8_(m, s, a, ...) m a s() INF_EACH_7_(m, s, __VA_ARGS__)
#define INF_COMMA_() ,
#define INF_NOTHING_()

/* How many of the at most twelve arguments there are. */
#define INF_COUNT_(...) INF_COUNT_AT_(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define INF_COUNT_AT_(a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define INF_JOIN_(a, b) INF_JOIN_NOW_(a, b)
#define INF_JOIN_NOW_(a, b) a##b

#define INF_DEFINE_(n, client, name, type, function, ...)                                                              \
    type function(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__));                                           \
    static type function##_inf_body_(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__));                        \
    type function(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__))                                            \
    {                                                                                                                  \
        struct inf_traced_ inf_call_ __attribute__((cleanup(inf_traced_end_)));                                        \
        inf_traced_begin_(&inf_call_, (client), (name), #function);                                                    \
        INF_EACH_##n##_(INF_CAPTURE_, INF_NOTHING_, __VA_ARGS__) inf_traced_run_(&inf_call_);                          \
        INF_TRY_ type inf_result_ = function##_inf_body_(INF_EACH_##n##_(INF_ARGUMENT_, INF_COMMA_, __VA_ARGS__));     \
        inf_traced_result_(&inf_call_, INF_KIND_OF_(inf_result_), (const void *)&inf_result_, sizeof(inf_result_));    \
        return inf_result_;                                                                                            \
        INF_CATCH_                                                                                                     \
    }                                                                                                                  \
    static type function##_inf_body_(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__))

#define INF_DEFINE_VOID_(n, client, name, function, ...)                                                               \
    void function(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__));                                           \
    static void function##_inf_body_(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__));                        \
    void function(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__))                                            \
    {                                                                                                                  \
        struct inf_traced_ inf_call_ __attribute__((cleanup(inf_traced_end_)));                                        \
        inf_traced_begin_(&inf_call_, (client), (name), #function);                                                    \
        INF_EACH_##n##_(INF_CAPTURE_, INF_NOTHING_, __VA_ARGS__) inf_traced_run_(&inf_call_);                          \
        INF_TRY_ function##_inf_body_(INF_EACH_##n##_(INF_ARGUMENT_, INF_COMMA_, __VA_ARGS__));                        \
        INF_CATCH_                                                                                                     \
    }                                                                                                                  \
    static void function##_inf_body_(INF_EACH_##n##_(INF_PARAMETER_, INF_COMMA_, __VA_ARGS__))

/* Without parameters the lists are `(void)` for C and nothing for the call. */
#define INF_TRACED_4_(client, name, type, function)                                                                    \
    type function(void);                                                                                               \
    static type function##_inf_body_(void);                                                                            \
    type function(void)                                                                                                \
    {                                                                                                                  \
        struct inf_traced_ inf_call_ __attribute__((cleanup(inf_traced_end_)));                                        \
        inf_traced_begin_(&inf_call_, (client), (name), #function);                                                    \
        inf_traced_run_(&inf_call_);                                                                                   \
        INF_TRY_ type inf_result_ = function##_inf_body_();                                                            \
        inf_traced_result_(&inf_call_, INF_KIND_OF_(inf_result_), (const void *)&inf_result_, sizeof(inf_result_));    \
        return inf_result_;                                                                                            \
        INF_CATCH_                                                                                                     \
    }                                                                                                                  \
    static type function##_inf_body_(void)
#define INF_TRACED_5_(...) INF_DEFINE_(1, __VA_ARGS__)
#define INF_TRACED_6_(...) INF_DEFINE_(2, __VA_ARGS__)
#define INF_TRACED_7_(...) INF_DEFINE_(3, __VA_ARGS__)
#define INF_TRACED_8_(...) INF_DEFINE_(4, __VA_ARGS__)
#define INF_TRACED_9_(...) INF_DEFINE_(5, __VA_ARGS__)
#define INF_TRACED_10_(...) INF_DEFINE_(6, __VA_ARGS__)
#define INF_TRACED_11_(...) INF_DEFINE_(7, __VA_ARGS__)
#define INF_TRACED_12_(...) INF_DEFINE_(8, __VA_ARGS__)

#define INF_TRACED_VOID_3_(client, name, function)                                                                     \
    void function(void);                                                                                               \
    static void function##_inf_body_(void);                                                                            \
    void function(void)                                                                                                \
    {                                                                                                                  \
        struct inf_traced_ inf_call_ __attribute__((cleanup(inf_traced_end_)));                                        \
        inf_traced_begin_(&inf_call_, (client), (name), #function);                                                    \
        inf_traced_run_(&inf_call_);                                                                                   \
        INF_TRY_ function##_inf_body_();                                                                               \
        INF_CATCH_                                                                                                     \
    }                                                                                                                  \
    static void function##_inf_body_(void)
#define INF_TRACED_VOID_4_(...) INF_DEFINE_VOID_(1, __VA_ARGS__)
#define INF_TRACED_VOID_5_(...) INF_DEFINE_VOID_(2, __VA_ARGS__)
#define INF_TRACED_VOID_6_(...) INF_DEFINE_VOID_(3, __VA_ARGS__)
#define INF_TRACED_VOID_7_(...) INF_DEFINE_VOID_(4, __VA_ARGS__)
#define INF_TRACED_VOID_8_(...) INF_DEFINE_VOID_(5, __VA_ARGS__)
#define INF_TRACED_VOID_9_(...) INF_DEFINE_VOID_(6, __VA_ARGS__)
#define INF_TRACED_VOID_10_(...) INF_DEFINE_VOID_(7, __VA_ARGS__)
#define INF_TRACED_VOID_11_(...) INF_DEFINE_VOID_(8, __VA_ARGS__)

#define INF_TRACED(...) INF_JOIN_(INF_JOIN_(INF_TRACED_, INF_COUNT_(__VA_ARGS__)), _)(__VA_ARGS__)
#define INF_TRACED_VOID(...) INF_JOIN_(INF_JOIN_(INF_TRACED_VOID_, INF_COUNT_(__VA_ARGS__)), _)(__VA_ARGS__)

#endif
