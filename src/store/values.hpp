#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/id.hpp"

// What crosses to and from PostgreSQL, always in the binary format, so that payloads are neither escaped nor
// copied twice and numbers are never parsed. Types carry their own OIDs (src/include/catalog/pg_type.dat): a
// statement needs no casts to be prepared.
namespace posthorn::store {

struct Bytes {
    std::string_view view;  // bytea; the bytes must outlive the call to exec
};
struct Json {
    std::string_view text;  // jsonb
};

// Where a row lies in its table (tid): until it is changed or the table is rewritten.
struct RowPlace {
    std::uint32_t block = 0xFFFF'FFFF;  // of no row
    std::uint16_t number = 0;

    bool operator==(const RowPlace&) const = default;
};

// Parameters of one statement, in order: $1, $2 ...
class Params {
public:
    template <class... T>
    static Params of(const T&... values) {
        Params params;
        (params.add(values), ...);
        return params;
    }

    Params& add(bool value);
    Params& add(std::int16_t value);
    Params& add(std::int32_t value);
    Params& add(std::int64_t value);
    Params& add(double value);
    Params& add(std::string_view value);  // text
    Params& add(const std::string& value) { return add(std::string_view(value)); }
    Params& add(const char* value) { return add(std::string_view(value)); }
    Params& add(Bytes value);
    Params& add(Json value);
    Params& add(const Uuid& value);
    Params& add(SystemTime value);  // timestamptz
    template <class Tag>
    Params& add(const Id<Tag>& value) {
        return add(value.value);
    }
    template <class T>
    Params& add(const std::optional<T>& value) {
        if (value) return add(*value);
        return add_null<T>();
    }

    // Arrays: bool[], int2[], int4[], int8[], text[], bytea[], uuid[], timestamptz[],
    // tid[]; elements may be optional.
    template <class T>
    Params& add(const std::vector<T>& values) {
        return add_array(std::span<const T>(values));
    }
    Params& add(const std::vector<bool>& values);
    template <class T>
    Params& add_array(std::span<const T> values);

    std::size_t size() const { return oids_.size(); }
    // As PQsendQueryPrepared wants them; valid while this object stays unchanged.
    struct Raw {
        std::vector<const char*> values;
        std::vector<int> lengths;
        std::vector<int> formats;
    };
    Raw raw() const;
    std::span<const std::uint32_t> oids() const { return oids_; }

private:
    template <class T>
    Params& add_null();
    void begin(std::uint32_t oid);
    void end();

    std::string buffer_;
    struct Field {
        std::size_t offset;
        std::int64_t length;
    };  // length -1: null
    std::vector<Field> fields_;
    std::vector<std::uint32_t> oids_;
};

template <>
Params& Params::add_null<std::vector<std::string>>();
template <>
Params& Params::add_null<std::vector<std::int32_t>>();

// The rows of one result; owns libpq's PGresult. Columns are asked for by number; a null where a value is
// asked for, or a wrong type, is a defect and throws std::logic_error.
class Rows {
public:
    Rows() = default;
    explicit Rows(void* pg_result);
    Rows(Rows&& other) noexcept;
    Rows& operator=(Rows&& other) noexcept;
    ~Rows();

    int size() const { return count_; }
    bool empty() const { return count_ == 0; }
    std::int64_t affected() const;  // of INSERT, UPDATE, DELETE

    template <class T>
    T get(int row, int column)
        const;  // bool, int16/32/64, double, std::string, std::string_view (text, bytea, jsonb), Uuid,
                // SystemTime, RowPlace, Id<>, std::vector<text|uuid|int4|int8>, optional<> of these

private:
    std::string_view raw(int row, int column, bool& null) const;
    std::uint32_t oid(int column) const;
    void* result_ = nullptr;
    int count_ = 0;
};

}  // namespace posthorn::store
