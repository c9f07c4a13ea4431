package jobs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// errand is the variable that makes this binary the worker that is killed: in which database it works.
const errand = "OMNISTACK_TEST_WORK"

// The job of a worker that was killed is worked by another.
func TestTheJobOfAKilledWorkerIsWorkedByAnother(t *testing.T) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			opts := testkit.DatabaseOptions(t, engine)
			kind, worked := telling(module.Job{Timeout: time.Second})
			s := newSuite(t, openDatabase(t, opts), kind)
			s.enqueue(sweep{"1"})
			kill(t, opts)

			job := s.await(0, rivertype.JobStateRunning)
			const rescue = time.Second
			until(t, func() bool { return time.Since(*job.AttemptedAt) > 2*rescue }, func() string { return "time doesn't pass" })
			s.RescueAfter(rescue)
			s.RetryAfter(10 * time.Millisecond)
			s.start()
			if id := receive(t, worked, "the work"); id != "1" {
				t.Errorf("%s was worked", id)
			}
			if job := s.await(0, rivertype.JobStateCompleted); job.Attempt != 2 {
				t.Errorf("it took %d attempts", job.Attempt)
			}
		})
	}
}

// kill lets another process begin a job, and kills it.
func kill(t *testing.T, opts database.Options) {
	t.Helper()
	where, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorkAsProcess$")
	process.Env = append(os.Environ(), errand+"="+string(where))
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != "begun\n" {
		t.Errorf("the other process says %q, %v", line, err)
	}
	_ = process.Process.Kill()
	_ = process.Wait() // says that it was killed
}

// TestWorkAsProcess is not a test: it is the worker that kill starts.
func TestWorkAsProcess(t *testing.T) {
	where := os.Getenv(errand)
	if where == "" {
		return
	}
	var opts database.Options
	if err := json.Unmarshal([]byte(where), &opts); err != nil {
		t.Fatal(err)
	}
	s := newSuite(t, openDatabase(t, opts), jobs.Kind(module.Job{}, func(context.Context, sweep) error {
		_, _ = os.Stdout.WriteString("begun\n")
		select {}
	}))
	s.Follow() // or its successor would wait until its lease ends
	s.start()
	select {}
}
