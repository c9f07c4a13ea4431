package config

import (
	"mime"
	"strings"
)

// The places where files are kept. They are the values of STORAGE_PROVIDER.
const (
	StorageLocal = "local" // a folder in DATA_DIR
	StorageS3    = "s3"    // Amazon S3, or anything that speaks its protocol at S3_ENDPOINT
	StorageR2    = "r2"    // Cloudflare R2
)

// Storage says where uploaded files are kept and which are taken.
type Storage struct {
	Provider           string `env:"STORAGE_PROVIDER" default:"local" oneof:"s3 r2 local" help:"Where files are kept: s3, r2, or local for a folder in DATA_DIR."`
	AWSAccessKeyID     Secret `env:"AWS_ACCESS_KEY_ID" help:"The key pair for S3: its id."`
	AWSSecretAccessKey Secret `env:"AWS_SECRET_ACCESS_KEY" help:"The key pair for S3: its secret."`
	AWSRegion          string `env:"AWS_REGION" default:"us-east-1" help:"The region of the bucket."`
	AWSBucket          string `env:"AWS_S3_BUCKET" help:"The bucket in S3."`
	S3Endpoint         string `env:"S3_ENDPOINT" is:"base" help:"Another server that speaks S3's protocol, such as http://localhost:9000; unset, Amazon's, or R2's with STORAGE_PROVIDER=r2."`

	R2AccountID       string `env:"R2_ACCOUNT_ID" help:"The Cloudflare account."`
	R2AccessKeyID     Secret `env:"R2_ACCESS_KEY_ID" help:"The key pair for R2: its id."`
	R2SecretAccessKey Secret `env:"R2_SECRET_ACCESS_KEY" help:"The key pair for R2: its secret."`
	R2Bucket          string `env:"R2_BUCKET" help:"The bucket in R2."`

	LocalInProduction  bool     `env:"STORAGE_LOCAL_IN_PRODUCTION" default:"false" help:"Allows local storage in production, for one machine with a disk that outlives deployments."`
	UploadMaxBytes     Size     `env:"UPLOAD_MAX_BYTES" default:"25MiB" min:"1" max:"5GiB" help:"The largest file that may be uploaded."`
	UploadAllowedTypes []string `env:"UPLOAD_ALLOWED_TYPES" default:"image/png,image/jpeg,image/gif,image/webp,application/pdf,text/plain,text/csv,application/json,application/zip" help:"The media types that may be uploaded, found by looking into the file."`
}

// Validate checks that the chosen provider has its keys, and that production doesn't lose files by accident.
func (s *Storage) Validate(check *Check) {
	type key struct{ name, value string }
	var needed []key
	switch s.Provider {
	case StorageS3:
		needed = []key{
			{"AWS_ACCESS_KEY_ID", s.AWSAccessKeyID.Reveal()}, {"AWS_SECRET_ACCESS_KEY", s.AWSSecretAccessKey.Reveal()},
			{"AWS_S3_BUCKET", s.AWSBucket},
		}
	case StorageR2:
		needed = []key{
			{"R2_ACCESS_KEY_ID", s.R2AccessKeyID.Reveal()}, {"R2_SECRET_ACCESS_KEY", s.R2SecretAccessKey.Reveal()},
			{"R2_BUCKET", s.R2Bucket},
		}
		if s.S3Endpoint == "" {
			needed = append(needed, key{"R2_ACCOUNT_ID", s.R2AccountID})
		}
	case StorageLocal:
		if check.Environment == Production && !s.LocalInProduction {
			check.Refuse("STORAGE_PROVIDER", "must be s3 or r2 in production: most machines lose their disk with each deployment. "+
				"STORAGE_LOCAL_IN_PRODUCTION=true says that yours doesn't")
		}
	}
	for _, k := range needed {
		if k.value == "" {
			check.Refuse(k.name, "must be set when STORAGE_PROVIDER is %s", s.Provider)
		}
	}
	for _, mediaType := range s.UploadAllowedTypes {
		parsed, parameters, err := mime.ParseMediaType(mediaType)
		if err != nil || parsed != mediaType || len(parameters) > 0 || !strings.Contains(mediaType, "/") || strings.Contains(mediaType, "*") {
			check.Refuse("UPLOAD_ALLOWED_TYPES", "must hold media types in lower case, such as image/png, without parameters and wildcards")
			return
		}
	}
}
