package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginediff "github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	syncresource "github.com/argoproj/argo-cd/gitops-engine/pkg/sync/resource"
	argocd "github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	tracking "github.com/argoproj/argo-cd/v3/util/argo"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const betweenSteps = 200 * time.Millisecond

// request is an Application, what its source declares, and what there is.
type request struct {
	Application v1alpha1.Application         `json:"application"`
	Targets     []*unstructured.Unstructured `json:"targets"`
	Live        *unstructured.Unstructured   `json:"live"`
}

// tracked marks the targets as the Application's, as Argo CD does with whatever it reads from a source.
func (request *request) tracked() ([]*unstructured.Unstructured, error) {
	resources, app := tracking.NewResourceTracking(), request.Application
	for _, target := range request.Targets {
		err := resources.SetAppInstance(
			target, argocd.LabelKeyAppInstance, app.Name, app.Spec.Destination.Namespace,
			v1alpha1.TrackingMethodAnnotation, "",
		)
		if err != nil {
			return nil, err
		}
	}
	return request.Targets, nil
}

func (request *request) option(name string) bool {
	policy := request.Application.Spec.SyncPolicy
	return policy != nil && policy.SyncOptions.HasOption(name)
}

// sync is a sync of the Application: wave after wave, each when what the one before has applied is healthy. Like Argo
// CD's application controller it takes one step after the other, each with a fresh look at what there is.
func (argo *argoCD) sync(request *request) ([]common.ResourceSyncResult, error) {
	targets, err := request.tracked()
	if err != nil {
		return nil, err
	}
	namespace := request.Application.Spec.Destination.Namespace
	live := cache.NewClusterCache(argo.config, cache.SetNamespaces([]string{namespace}))
	if err := live.EnsureSynced(); err != nil {
		return nil, err
	}
	defer live.Invalidate()
	phase, message, results, started := common.OperationRunning, "", []common.ResourceSyncResult(nil), metav1.Now()
	for {
		managed, err := live.GetManagedLiveObjs(targets, func(*cache.Resource) bool { return false })
		if err != nil {
			return nil, err
		}
		step, cleanup, err := sync.NewSyncContext(
			"", sync.Reconcile(targets, managed, namespace, live), argo.config, argo.config, argo.kubectl, namespace,
			sync.WithInitialState(phase, message, results, started),
			sync.WithHealthOverride(lua.ResourceHealthOverrides(argo.overrides)),
			sync.WithServerSideApply(request.option("ServerSideApply=true")),
			sync.WithServerSideApplyManager(argocd.ArgoCDSSAManager),
		)
		if err != nil {
			return nil, err
		}
		step.Sync()
		phase, message, results = step.GetState()
		cleanup()
		if phase.Completed() {
			if !phase.Successful() {
				return nil, fmt.Errorf("%s: %s", phase, message)
			}
			return results, nil
		}
		time.Sleep(betweenSteps)
	}
}

// difference is whether the Application is OutOfSync, and by what.
type difference struct {
	Modified  bool            `json:"modified"`
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

// diff compares as Argo CD's application controller does.
func (argo *argoCD) diff(request *request) (*difference, error) {
	targets, err := request.tracked()
	if err != nil {
		return nil, err
	}
	_, parser, err := argo.kubectl.LoadOpenAPISchema(argo.config)
	if err != nil {
		return nil, err
	}
	app := request.Application
	settings := argodiff.NewDiffConfigBuilder().
		WithDiffSettings(app.Spec.IgnoreDifferences, argo.overrides, false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking(argocd.LabelKeyAppInstance, string(v1alpha1.TrackingMethodAnnotation)).
		WithNoCache().
		WithGVKParser(parser).
		WithManager(argocd.ArgoCDSSAManager).
		WithStructuredMergeDiff(request.option("ServerSideApply=true"))
	if syncresource.HasAnnotationOption(&app, argocd.AnnotationCompareOptions, "ServerSideDiff=true") {
		dryRun, cleanup, err := argo.kubectl.ManageServerSideDiffDryRuns(argo.config)
		if err != nil {
			return nil, err
		}
		defer cleanup()
		settings.WithServerSideDiff(true).WithServerSideDryRunner(enginediff.NewK8sServerSideDryRunner(dryRun))
	}
	built, err := settings.Build()
	if err != nil {
		return nil, err
	}
	found, err := argodiff.StateDiff(request.Live, targets[0], built)
	if err != nil {
		return nil, err
	}
	return &difference{found.Modified, found.NormalizedLive, found.PredictedLive}, nil
}
