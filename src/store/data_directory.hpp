#pragma once
#include <filesystem>
#include <optional>

#include "store/child_process.hpp"

namespace posthorn::store {

// The data directory and posthorn.lock in it, locked while the object lives: a second service on the
// directory is refused, also when somebody removed the file. Where directories can not be locked (NFS) the
// file alone counts.
class DirectoryLock {
public:
    explicit DirectoryLock(
        const std::filesystem::path& data_dir);  // throws std::runtime_error, naming the holder's process id
    ~DirectoryLock();
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;

private:
    void lock_directory(const std::filesystem::path& data_dir);
    void lock_file(const std::filesystem::path& data_dir);
    void release();

    int directory_ = -1, file_ = -1;
};

// Makes the data directory if it is missing: 0700, or 0711 as root, since the server's user must pass through
// it. The result is absolute and without symbolic links. Throws std::runtime_error.
std::filesystem::path make_data_directory(const std::filesystem::path& data_dir);

// As whom the server runs: nothing when we are not root ourselves. Throws std::runtime_error, also where that
// user can not reach the data directory.
std::optional<UnixUser> choose_server_user(const std::filesystem::path& data_dir,
                                           const std::filesystem::path& cluster);

// A directory of mode 0700 that belongs to the user (or to us). An existing one that does not is refused:
// std::runtime_error.
void make_private_directory(const std::filesystem::path& path, const std::optional<UnixUser>& owner);

// data_dir/run, or, where its path is too long for a socket (107 bytes) or libpq would misread it, a
// directory under /run or /tmp whose name is derived from the data directory.
std::filesystem::path socket_directory_for(const std::filesystem::path& data_dir);

// Makes what was created, renamed or removed in the directory durable. Throws std::system_error.
void sync_directory(const std::filesystem::path& path);

// Written anew and put in place by rename. Throws std::system_error.
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace posthorn::store
