#include "store/values.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <libpq-fe.h>
#include <memory>
#include <stdexcept>

namespace posthorn::store {

namespace {

// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t epoch_difference_us = 946'684'800'000'000;

template <class Integer>
void put_at(std::string& out, std::size_t at, Integer value) {
    using Unsigned = std::make_unsigned_t<Integer>;
    auto bits = static_cast<Unsigned>(value);
    for (std::size_t i = sizeof(Integer); i-- > 0;) {
        out[at + i] = static_cast<char>(bits & 0xFF);
        if constexpr (sizeof(Integer) > 1) bits = static_cast<Unsigned>(bits >> 8);
    }
}

template <class Integer>
void put(std::string& out, Integer value) {
    out.resize(out.size() + sizeof(Integer));
    put_at(out, out.size() - sizeof(Integer), value);
}

template <class Integer>
Integer take(std::string_view bytes, std::size_t at = 0) {
    if (bytes.size() < at + sizeof(Integer))
        throw std::logic_error("a database value is shorter than its type");
    std::make_unsigned_t<Integer> value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i)
        value = static_cast<std::make_unsigned_t<Integer>>((value << 8) |
                                                           static_cast<unsigned char>(bytes[at + i]));
    return static_cast<Integer>(value);
}

// One specialisation a C++ type: its OID, its array's OID, and how it is written.
template <class T>
struct Wire;
template <>
struct Wire<bool> {
    static constexpr std::uint32_t oid = 16, array_oid = 1000;
    static void write(std::string& out, bool value) { out += static_cast<char>(value); }
};
template <>
struct Wire<std::int16_t> {
    static constexpr std::uint32_t oid = 21, array_oid = 1005;
    static void write(std::string& out, std::int16_t value) { put(out, value); }
};
template <>
struct Wire<std::int32_t> {
    static constexpr std::uint32_t oid = 23, array_oid = 1007;
    static void write(std::string& out, std::int32_t value) { put(out, value); }
};
template <>
struct Wire<std::int64_t> {
    static constexpr std::uint32_t oid = 20, array_oid = 1016;
    static void write(std::string& out, std::int64_t value) { put(out, value); }
};
template <>
struct Wire<double> {
    static constexpr std::uint32_t oid = 701, array_oid = 1022;
    static void write(std::string& out, double value) { put(out, std::bit_cast<std::int64_t>(value)); }
};
template <>
struct Wire<std::string_view> {
    static constexpr std::uint32_t oid = 25, array_oid = 1009;
    static void write(std::string& out, std::string_view value) { out += value; }
};
template <>
struct Wire<std::string> : Wire<std::string_view> {};
template <>
struct Wire<Bytes> {
    static constexpr std::uint32_t oid = 17, array_oid = 1001;
    static void write(std::string& out, Bytes value) { out += value.view; }
};
template <>
struct Wire<Json> {
    static constexpr std::uint32_t oid = 3802, array_oid = 3807;
    static void write(std::string& out, Json value) {
        (out += '\1') += value.text;
    }  // jsonb's version number, 1
};
template <>
struct Wire<Uuid> {
    static constexpr std::uint32_t oid = 2950, array_oid = 2951;
    static void write(std::string& out, const Uuid& value) {
        out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    }
};
template <>
struct Wire<SystemTime> {
    static constexpr std::uint32_t oid = 1184, array_oid = 1185;
    static void write(std::string& out, SystemTime value) {
        put(out, static_cast<std::int64_t>(value.time_since_epoch().count() - epoch_difference_us));
    }
};
template <>
struct Wire<RowPlace> {
    static constexpr std::uint32_t oid = 27, array_oid = 1010;
    static void write(std::string& out, RowPlace value) {
        put(out, value.block);
        put(out, value.number);
    }
};
template <class Tag>
struct Wire<Id<Tag>> : Wire<Uuid> {
    static void write(std::string& out, const Id<Tag>& value) { Wire<Uuid>::write(out, value.value); }
};

template <class T>
struct Element {
    using type = T;
    static const T* get(const T& value) { return &value; }
};
template <class T>
struct Element<std::optional<T>> {
    using type = T;
    static const T* get(const std::optional<T>& value) { return value ? &*value : nullptr; }
};

}  // namespace

void Params::begin(std::uint32_t oid) {
    oids_.push_back(oid);
    fields_.push_back({buffer_.size(), -1});
}
void Params::end() {
    fields_.back().length = static_cast<std::int64_t>(buffer_.size() - fields_.back().offset);
}

#define POSTHORN_ADD(Type)              \
    Params& Params::add(Type value) {   \
        using T = std::decay_t<Type>;   \
        begin(Wire<T>::oid);            \
        Wire<T>::write(buffer_, value); \
        end();                          \
        return *this;                   \
    }
POSTHORN_ADD(bool)
POSTHORN_ADD(std::int16_t)
POSTHORN_ADD(std::int32_t)
POSTHORN_ADD(std::int64_t)
POSTHORN_ADD(double)
POSTHORN_ADD(std::string_view)
POSTHORN_ADD(Bytes)
POSTHORN_ADD(Json)
POSTHORN_ADD(const Uuid&)
POSTHORN_ADD(SystemTime)
#undef POSTHORN_ADD

template <>
Params& Params::add_null<std::vector<std::string>>() {
    begin(Wire<std::string>::array_oid);
    return *this;
}
template <>
Params& Params::add_null<std::vector<std::int32_t>>() {
    begin(Wire<std::int32_t>::array_oid);
    return *this;
}

template <class T>
Params& Params::add_null() {
    begin(Wire<T>::oid);
    return *this;
}

// Array format: dimensions, has-null flag, element OID, then length and lower bound, then each element with
// its length.
template <class T>
Params& Params::add_array(std::span<const T> values) {
    using E = typename Element<T>::type;
    begin(Wire<E>::array_oid);
    put(buffer_, std::int32_t{values.empty() ? 0 : 1});
    put(buffer_, std::int32_t{std::is_same_v<E, T> ? 0 : 1});
    put(buffer_, static_cast<std::int32_t>(Wire<E>::oid));
    if (!values.empty()) {
        put(buffer_, static_cast<std::int32_t>(values.size()));
        put(buffer_, std::int32_t{1});
    }
    for (const T& value : values) {
        const E* element = Element<T>::get(value);
        if (element == nullptr) {
            put(buffer_, std::int32_t{-1});
            continue;
        }
        const std::size_t length_at = buffer_.size();
        put(buffer_, std::int32_t{0});
        Wire<E>::write(buffer_, *element);
        put_at(buffer_, length_at, static_cast<std::int32_t>(buffer_.size() - length_at - 4));
    }
    end();
    return *this;
}

// std::vector<bool> has no span of bools.
Params& Params::add(const std::vector<bool>& values) {
    std::unique_ptr<bool[]> copy(new bool[values.size() + 1]);
    std::copy(values.begin(), values.end(), copy.get());
    return add_array(std::span<const bool>(copy.get(), values.size()));
}

Params::Raw Params::raw() const {
    Raw raw;
    raw.values.reserve(fields_.size());
    for (const auto& [offset, length] : fields_) {
        raw.values.push_back(length < 0 ? nullptr : buffer_.data() + offset);
        raw.lengths.push_back(length < 0 ? 0 : static_cast<int>(length));
    }
    raw.formats.assign(fields_.size(), 1);
    return raw;
}

Rows::Rows(void* pg_result) : result_(pg_result), count_(PQntuples(static_cast<PGresult*>(pg_result))) {}
Rows::Rows(Rows&& other) noexcept
    : result_(std::exchange(other.result_, nullptr)), count_(std::exchange(other.count_, 0)) {}
Rows& Rows::operator=(Rows&& other) noexcept {
    std::swap(result_, other.result_);
    std::swap(count_, other.count_);
    return *this;
}
Rows::~Rows() { PQclear(static_cast<PGresult*>(result_)); }

std::int64_t Rows::affected() const {
    const std::string_view text = PQcmdTuples(static_cast<PGresult*>(result_));
    return text.empty() ? 0 : std::stoll(std::string(text));
}

std::string_view Rows::raw(int row, int column, bool& null) const {
    auto* result = static_cast<PGresult*>(result_);
    if (row >= count_ || column >= PQnfields(result))
        throw std::logic_error("a database column was asked for that the result lacks");
    if (PQfformat(result, column) != 1)
        throw std::logic_error("a database value is not in the binary format");
    null = PQgetisnull(result, row, column) != 0;
    return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}
std::uint32_t Rows::oid(int column) const { return PQftype(static_cast<PGresult*>(result_), column); }

namespace {

void require_oid(std::uint32_t found, std::initializer_list<std::uint32_t> wanted, int column) {
    if (std::find(wanted.begin(), wanted.end(), found) == wanted.end())
        throw std::logic_error(
            fmt::format("database column {} has type {} and is read as another", column, found));
}

template <class T>
struct Reader;
template <>
struct Reader<bool> {
    static bool read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {16}, column);
        return bytes.at(0) != 0;
    }
};
template <class T>
    requires std::is_integral_v<T>
struct Reader<T> {
    static T read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {Wire<T>::oid}, column);
        return take<T>(bytes);
    }
};
template <>
struct Reader<double> {
    static double read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {701}, column);
        return std::bit_cast<double>(take<std::int64_t>(bytes));
    }
};
template <>
struct Reader<std::string_view> {
    static std::string_view read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {25, 17, 3802, 1043, 19}, column);  // text, bytea, jsonb, varchar, name
        if (oid == 3802) bytes.remove_prefix(1);
        return bytes;
    }
};
template <>
struct Reader<std::string> {
    static std::string read(std::string_view bytes, std::uint32_t oid, int column) {
        return std::string(Reader<std::string_view>::read(bytes, oid, column));
    }
};
template <>
struct Reader<Uuid> {
    static Uuid read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {2950}, column);
        Uuid id;
        if (bytes.size() != id.bytes.size()) throw std::logic_error("a uuid has 16 bytes");
        std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
        return id;
    }
};
template <class Tag>
struct Reader<Id<Tag>> {
    static Id<Tag> read(std::string_view bytes, std::uint32_t oid, int column) {
        return Id<Tag>{Reader<Uuid>::read(bytes, oid, column)};
    }
};
template <>
struct Reader<SystemTime> {
    static SystemTime read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {1184}, column);
        return SystemTime(std::chrono::microseconds(take<std::int64_t>(bytes) + epoch_difference_us));
    }
};
template <>
struct Reader<RowPlace> {
    static RowPlace read(std::string_view bytes, std::uint32_t oid, int column) {
        require_oid(oid, {27}, column);
        return {take<std::uint32_t>(bytes), take<std::uint16_t>(bytes, 4)};
    }
};
template <class E>
struct Reader<std::vector<E>> {
    static std::vector<E> read(std::string_view bytes, std::uint32_t oid, int column) {
        if constexpr (std::is_same_v<E, std::string>)
            require_oid(oid, {Wire<E>::array_oid, Wire<Bytes>::array_oid}, column);
        else
            require_oid(oid, {Wire<E>::array_oid}, column);
        std::vector<E> list;
        if (take<std::int32_t>(bytes) == 0) return list;
        const auto element_oid = static_cast<std::uint32_t>(take<std::int32_t>(bytes, 8));
        const auto count = take<std::int32_t>(bytes, 12);
        std::size_t at = 20;
        for (std::int32_t i = 0; i < count; ++i) {
            const auto length = take<std::int32_t>(bytes, at);
            if (length < 0) throw std::logic_error("a database array holds a null");
            at += 4;
            list.push_back(
                Reader<E>::read(bytes.substr(at, static_cast<std::size_t>(length)), element_oid, column));
            at += static_cast<std::size_t>(length);
        }
        return list;
    }
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

}  // namespace

template <class T>
T Rows::get(int row, int column) const {
    bool null = false;
    const auto bytes = raw(row, column, null);
    if constexpr (IsOptional<T>::value) {
        if (null) return std::nullopt;
        return Reader<typename T::value_type>::read(bytes, oid(column), column);
    } else {
        if (null) throw std::logic_error(fmt::format("database column {} is null", column));
        return Reader<T>::read(bytes, oid(column), column);
    }
}

#define POSTHORN_ARRAY(T)                                   \
    template Params& Params::add_array(std::span<const T>); \
    template Params& Params::add_array(std::span<const std::optional<T>>);
#define POSTHORN_SCALAR(T)                   \
    template Params& Params::add_null<T>();  \
    template T Rows::get<T>(int, int) const; \
    template std::optional<T> Rows::get<std::optional<T>>(int, int) const;
#define POSTHORN_LIST(T)                                               \
    template std::vector<T> Rows::get<std::vector<T>>(int, int) const; \
    template std::optional<std::vector<T>> Rows::get<std::optional<std::vector<T>>>(int, int) const;
#define POSTHORN_ID(Tag) POSTHORN_ARRAY(Id<Tag>) POSTHORN_SCALAR(Id<Tag>) POSTHORN_LIST(Id<Tag>)

POSTHORN_ARRAY(bool)
POSTHORN_ARRAY(std::int16_t)
POSTHORN_ARRAY(std::int32_t)
POSTHORN_ARRAY(std::int64_t)
POSTHORN_ARRAY(double)
POSTHORN_ARRAY(std::string)
POSTHORN_ARRAY(std::string_view)
POSTHORN_ARRAY(Bytes)
POSTHORN_ARRAY(Json)
POSTHORN_ARRAY(Uuid)
POSTHORN_ARRAY(SystemTime)
POSTHORN_ARRAY(RowPlace)
POSTHORN_SCALAR(bool)
POSTHORN_SCALAR(std::int16_t)
POSTHORN_SCALAR(std::int32_t)
POSTHORN_SCALAR(std::int64_t)
POSTHORN_SCALAR(double)
POSTHORN_SCALAR(std::string)
POSTHORN_SCALAR(std::string_view)
POSTHORN_SCALAR(Uuid)
POSTHORN_SCALAR(SystemTime)
POSTHORN_SCALAR(RowPlace)
template Params& Params::add_null<Bytes>();
template Params& Params::add_null<Json>();
POSTHORN_LIST(std::int32_t)
POSTHORN_LIST(std::int64_t)
POSTHORN_LIST(std::string)
POSTHORN_LIST(Uuid)
POSTHORN_ID(Organization)
POSTHORN_ID(Application)
POSTHORN_ID(Endpoint)
POSTHORN_ID(Message)
POSTHORN_ID(Attempt)
POSTHORN_ID(ApiKey)
POSTHORN_ID(EventType)
POSTHORN_ID(EndpointSecret)
POSTHORN_ID(ReplayJob)
POSTHORN_ID(AuditEntry)
POSTHORN_ID(Process)

}  // namespace posthorn::store
