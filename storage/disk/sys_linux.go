package disk

import "golang.org/x/sys/unix"

const errNoData = unix.ENODATA
