// argocd-engine does to resources what Argo CD does, by Argo CD's own code, and prints the outcome as JSON.
//
// Its settings are those of the ConfigMap argocd-cm, in the cluster of $KUBECONFIG and in the namespace that is given;
// what it works on comes from standard input:
//
//	argocd-engine NAMESPACE health      < object                             its health
//	argocd-engine NAMESPACE actions     < object                             the actions that are offered for it
//	argocd-engine NAMESPACE run ACTION  < object                             the merge patch that the action makes
//	argocd-engine NAMESPACE sync        < {application, targets}             a sync, until it has ended
//	argocd-engine NAMESPACE diff        < {application, targets: [t], live}  how the live object differs from t
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	jsonpatch "github.com/evanphx/json-patch"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2/textlogger"
)

// argoCD is what its parts share: the cluster, and the customizations of resources from argocd-cm.
type argoCD struct {
	config    *rest.Config
	kubectl   *kube.KubectlCmd
	overrides map[string]v1alpha1.ResourceOverride
}

func main() {
	outcome, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(outcome)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) (any, error) {
	if len(arguments) < 2 {
		return nil, fmt.Errorf("which namespace, and what to do there?")
	}
	argo, err := open(context.Background(), arguments[0])
	if err != nil {
		return nil, err
	}
	switch command := arguments[1]; command {
	case "sync", "diff":
		request := &request{}
		if err := json.NewDecoder(os.Stdin).Decode(request); err != nil {
			return nil, err
		}
		if command == "sync" {
			return argo.sync(request)
		}
		return argo.diff(request)
	default:
		object := &unstructured.Unstructured{}
		if err := json.NewDecoder(os.Stdin).Decode(&object.Object); err != nil {
			return nil, err
		}
		switch {
		case command == "health":
			return health.GetResourceHealth(object, lua.ResourceHealthOverrides(argo.overrides))
		case command == "actions":
			return argo.actions(object)
		case command == "run" && len(arguments) == 3:
			return argo.act(object, arguments[2])
		}
		return nil, fmt.Errorf("unknown command: %v", arguments[1:])
	}
}

func open(ctx context.Context, namespace string) (*argoCD, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = v1alpha1.K8sClientConfigQPS, v1alpha1.K8sClientConfigBurst
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	overrides, err := settings.NewSettingsManager(ctx, clientset, namespace).GetResourceOverrides()
	kubectl := &kube.KubectlCmd{Log: textlogger.NewLogger(textlogger.NewConfig()), Tracer: tracing.NopTracer{}}
	return &argoCD{config, kubectl, overrides}, err
}

// actions is what Argo CD's server answers when the user interface asks for the actions of a resource.
func (argo *argoCD) actions(object *unstructured.Unstructured) ([]v1alpha1.ResourceAction, error) {
	vm := lua.VM{ResourceOverrides: argo.overrides}
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		return nil, err
	}
	return vm.ExecuteResourceActionDiscovery(object, scripts)
}

// act is what Argo CD's server does when an action is run, up to the request that it sends.
func (argo *argoCD) act(object *unstructured.Unstructured, name string) (json.RawMessage, error) {
	vm := lua.VM{ResourceOverrides: argo.overrides}
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		return nil, err
	}
	impacted, err := vm.ExecuteResourceAction(object, action.ActionLua, nil)
	if err != nil {
		return nil, err
	}
	if len(impacted) != 1 || impacted[0].K8SOperation != lua.PatchOperation {
		return nil, fmt.Errorf("%s does not patch one object: %v", name, impacted)
	}
	before, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(impacted[0].UnstructuredObj)
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}
