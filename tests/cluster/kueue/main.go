// kueue runs Kueue for Jobs: its own controllers, scheduler and Job webhook. It leaves out what needs an installation in
// a namespace (certificate rotation, leader election, metrics) and the other kinds of jobs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	configapi "sigs.k8s.io/kueue/apis/config/v1beta2"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta2"
	queuecache "sigs.k8s.io/kueue/pkg/cache/queue"
	schedulercache "sigs.k8s.io/kueue/pkg/cache/scheduler"
	"sigs.k8s.io/kueue/pkg/constants"
	"sigs.k8s.io/kueue/pkg/controller/core"
	"sigs.k8s.io/kueue/pkg/controller/core/indexer"
	"sigs.k8s.io/kueue/pkg/controller/jobframework"
	"sigs.k8s.io/kueue/pkg/controller/jobs/job"
	"sigs.k8s.io/kueue/pkg/scheduler"
	preemption "sigs.k8s.io/kueue/pkg/scheduler/preemption/expectations"
)

func main() {
	port := flag.Int("webhook-port", 0, "port of the Job webhook, on 127.0.0.1")
	certificate := flag.String("webhook-certificate", "", "file of the webhook's certificate")
	key := flag.String("webhook-key", "", "file of the certificate's key, in the same directory")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	server := webhook.NewServer(webhook.Options{
		Host:     "127.0.0.1",
		Port:     *port,
		CertDir:  filepath.Dir(*certificate),
		CertName: filepath.Base(*certificate),
		KeyName:  filepath.Base(*key),
	})
	if err := run(ctrl.SetupSignalHandler(), server); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server webhook.Server) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, kueue.AddToScheme, configapi.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	access, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(access, ctrl.Options{
		Scheme:        scheme,
		Metrics:       metricsserver.Options{BindAddress: "0"},
		WebhookServer: server,
	})
	if err != nil {
		return err
	}
	if err := addKueue(ctx, manager); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func addKueue(ctx context.Context, manager ctrl.Manager) error {
	client := manager.GetClient()
	var settings configapi.Configuration
	manager.GetScheme().Default(&settings)

	requeuer := queuecache.NewRequeuer()
	expected := preemption.New()
	cache := schedulercache.New(client)
	queues := queuecache.NewManager(client, cache, requeuer, queuecache.WithPreemptionExpectations(expected))
	go queues.CleanUpOnContext(ctx)
	go cache.CleanUpOnContext(ctx)

	if err := indexer.Setup(ctx, manager.GetFieldIndexer()); err != nil {
		return err
	}
	if failed, err := core.SetupControllers(manager, queues, cache, &settings, nil, expected, nil); err != nil {
		return fmt.Errorf("%s: %w", failed, err)
	}
	if err := addJobs(ctx, manager, jobframework.WithQueues(queues), jobframework.WithCache(cache)); err != nil {
		return err
	}
	if err := manager.Add(requeuer); err != nil {
		return err
	}
	events := manager.GetEventRecorderFor(constants.AdmissionName)
	return manager.Add(scheduler.New(queues, cache, client, events, scheduler.WithPreemptionExpectations(expected)))
}

func addJobs(ctx context.Context, manager ctrl.Manager, options ...jobframework.Option) error {
	if err := job.SetupIndexes(ctx, manager.GetFieldIndexer()); err != nil {
		return err
	}
	events := manager.GetEventRecorderFor(constants.JobControllerName)
	reconciler, err := job.NewReconciler(ctx, manager.GetClient(), manager.GetFieldIndexer(), events, options...)
	if err != nil {
		return err
	}
	if err := reconciler.SetupWithManager(manager); err != nil {
		return err
	}
	jobframework.EnableIntegration(job.FrameworkName)
	return job.SetupWebhook(manager, options...)
}
