// Package wire makes connections to the database and the store that notice when
// the other end is gone. A host that is cut off or loses its power says no
// good-bye; what is sent to it would be sent again for a quarter of an hour.
package wire

import (
	"net"
	"time"
)

// Gone is how long the other end may say nothing at all, its kernel included,
// until a connection is given up, about.
const Gone = 10 * time.Second

// Dialer gives connections up after [Gone].
func Dialer() *net.Dialer {
	return &net.Dialer{Timeout: Gone, Control: userTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3}}
}
