// The cluster's DNS: CoreDNS with the two plugins it needs here, instead of all of them and the clouds they talk to.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

func main() { coremain.Run() }
