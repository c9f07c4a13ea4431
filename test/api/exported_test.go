package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// unexported returns which of the texts an export, a ZIP archive, doesn't hold in any file, in order; secrets and what names no
// person, such as a key, aren't to be given here. What is written as JSON is found as it reads, whatever is escaped in it.
func unexported(archive []byte, texts ...string) ([]string, error) {
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	var all strings.Builder
	for _, file := range files.File {
		text, err := readZipped(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		all.WriteString(file.Name + "\n" + string(text) + "\n")
		var value any
		if json.Unmarshal(text, &value) == nil {
			fmt.Fprintln(&all, value)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.Contains(all.String(), text) })
	slices.Sort(missing)
	return missing, nil
}

func readZipped(file *zip.File) ([]byte, error) {
	opened, err := file.Open()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(opened)
	if closed := opened.Close(); err == nil {
		err = closed
	}
	return text, err
}

// What is missing in an export is told by its text.
func TestAnExportIsLookedThrough(t *testing.T) {
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	for name, text := range map[string]string{
		"users.json": `{"full_name": "Alice & B\u00f6b"}`, "projects.json": `[{"name": "Apollo"}]`, "files/Gemini.txt": "text",
	} {
		file, err := writer.Create(name)
		if err == nil {
			_, err = io.WriteString(file, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	missing, err := unexported(archive.Bytes(), "Zeus", "Alice & Böb", "Apollo", "Gemini", "Artemis")
	if err != nil || !slices.Equal(missing, []string{"Artemis", "Zeus"}) {
		t.Errorf("missing is %v, %v", missing, err)
	}
	if missing, err := unexported(archive.Bytes()[:30], "Apollo"); err == nil {
		t.Errorf("half an archive misses %v", missing)
	}
}
