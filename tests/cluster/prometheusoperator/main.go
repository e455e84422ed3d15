// Reads objects of the Prometheus Operator, as a JSON list, and prints what its own types do not know or cannot hold.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, object := range objects {
		if err := decode(object); err != nil {
			fmt.Println(err)
		}
	}
}

func decode(object []byte) error {
	var kind struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(object, &kind); err != nil {
		return err
	}
	known := map[string]any{
		monitoring.ServiceMonitorsKind: &monitoring.ServiceMonitor{},
		monitoring.PrometheusRuleKind:  &monitoring.PrometheusRule{},
	}
	into, ok := known[kind.Kind]
	if !ok {
		return fmt.Errorf("%q is not a kind of the Prometheus Operator", kind.Kind)
	}
	strictly := json.NewDecoder(bytes.NewReader(object))
	strictly.DisallowUnknownFields()
	if err := strictly.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return nil
}
